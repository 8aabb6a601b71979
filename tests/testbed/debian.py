"""Programs of a node that come from Debian packages."""

import os
import shutil

from testbed import containerd
from testbed.say import say
from testbed.shell import CommandFailed, run, sbin_path

# program → package
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "sysctl": "procps",
    "mount": "mount",
    "openssl": "openssl",
}


def missing() -> list[str]:
    """The packages whose programs this machine lacks."""
    path = sbin_path(os.environ.get("PATH", os.defpath))
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    if not (containerd.cni_plugins() / "bridge").exists():
        lacking.add("containernetworking-plugins")
    return sorted(lacking)


def ensure() -> None:
    """Install what is missing. Raises CommandFailed with what to do, where that is not possible."""
    if os.geteuid() != 0:
        raise CommandFailed(
            "a node of our own needs root: it makes namespaces, mounts and cgroups. "
            "Run this as root, or start a Docker engine: then kind is used."
        )
    packages = missing()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise CommandFailed(
            f"this machine lacks {', '.join(packages)} and is no Debian or Ubuntu: "
            "install them by hand, or start a Docker engine: then kind is used."
        )
    say(f"installing Debian packages: {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env, timeout=600)
    run(["apt-get", "install", "-qy", "--no-install-recommends", *packages], env=env, timeout=1200)
