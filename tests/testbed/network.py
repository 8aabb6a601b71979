"""A cluster's network namespace, and the mount namespace that belongs to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from testbed import paths
from testbed.process import Identity, identify, running, start
from testbed.shell import run
from testbed.waiting import until, until_ended

BRIDGE = "cni0"
GATEWAY = "10.244.0.1"
POD_CIDR = "10.244.0.0/16"

# Folders whose place is written into Kubernetes or containerd. In the cluster's mount namespace each is a folder of
# the cluster's own, so that two clusters share nothing and removing one needs no search.
PRIVATE = (
    "/var/log/containers",
    "/var/log/pods",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/run/containerd",
)


def private(state: Path, folder: str) -> Path:
    """Where one of PRIVATE really is, seen from the host."""
    return state / "private" / folder.strip("/").replace("/", "-")


def create(name: str) -> None:
    """The network namespace: loopback and a bridge, no way out, so that tests are hermetic."""
    run(["ip", "netns", "add", name])
    inside = ["nsenter", f"--net={paths.netns(name)}"]
    run([*inside, "ip", "link", "set", "lo", "up"])
    run([*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    # What the bridge passes on goes through the filters of IP: kube-proxy's and the enforcer's.
    run([*inside, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"])
    run([*inside, "ip", "link", "add", BRIDGE, "type", "bridge"])
    run([*inside, "ip", "addr", "add", f"{GATEWAY}/16", "dev", BRIDGE])
    run([*inside, "ip", "link", "set", BRIDGE, "up"])
    # Nothing lies behind it, but kube-proxy and hairpin connections want a default route.
    run([*inside, "ip", "route", "add", "default", "dev", BRIDGE])


def hold(name: str, state: Path) -> list[str]:
    """Start the process that keeps the namespaces; the words that, put before a command, run it inside them."""
    mounts = ["mount --make-rshared /"]
    for folder in PRIVATE:
        Path(folder).mkdir(parents=True, exist_ok=True)
        private(state, folder).mkdir(parents=True)
        mounts.append(f"mount --bind '{private(state, folder)}' {folder}")
    script = " && ".join([*mounts, "exec sleep infinity"])
    argv = ["nsenter", f"--net={paths.netns(name)}", "unshare", "--mount", "--propagation", "slave", "sh", "-c", script]
    pidfile = start("namespaces", argv, state)
    who = running(pidfile)
    pid = who.pid if who else 0
    comm = Path(f"/proc/{pid}/comm")
    until(
        "the cluster's mounts",
        lambda: comm.exists() and comm.read_text().strip() == "sleep",
        timeout=20,
        needs=[pidfile],
    )
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--"]


def members(name: str) -> set[Identity]:
    """All living processes in the network namespace (pods have namespaces of their own)."""
    try:
        wanted = paths.netns(name).stat()
    except FileNotFoundError:
        return set()
    found: set[Identity] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            there = (process / "ns" / "net").stat()
        except OSError:  # it has ended meanwhile
            continue
        if (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino) and (who := identify(int(process.name))):
            found.add(who)
    return found


@contextmanager
def outside(name: str, *addresses: str) -> Iterator[list[str]]:
    """A host beyond the node with these addresses (IPv4), while the block runs: the words that run a command there.

    Pods reach it, and it reaches pods, by way of the node, as far as policies let them. What an interrupted block left
    of it is removed first.
    """
    space, link = beyond(name), "outside"
    inside, there = ["nsenter", f"--net={paths.netns(name)}"], ["nsenter", f"--net={paths.netns(space)}"]
    remove(space)
    run(["ip", "netns", "add", space])
    try:
        run([*inside, "ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space])
        run([*inside, "ip", "link", "set", link, "up"])
        # It asks for the pods' addresses on the wire, and the node answers for them.
        run([*inside, "sysctl", "-qw", f"net.ipv4.conf.{link}.proxy_arp=1"])
        for device in ("lo", "eth0"):
            run([*there, "ip", "link", "set", device, "up"])
        for address in addresses:
            run([*there, "ip", "addr", "add", f"{address}/32", "dev", "eth0"])
            run([*inside, "ip", "route", "add", f"{address}/32", "dev", link])
        run([*there, "ip", "route", "add", "default", "dev", "eth0"])
        yield there
    finally:
        remove(space)


def beyond(name: str) -> str:
    """The network namespace of the host outside the cluster."""
    return f"{name}-outside"


def remove(name: str) -> None:
    """End what runs in the network namespace and delete it; its interfaces, addresses and rules go with it."""
    until_ended(f"the processes in the network namespace {name}", partial(_others, name))
    file = paths.netns(name)
    if os.path.ismount(file):
        # The kernel takes a namespace apart some time later. The interface of a host outside has its other end in the
        # cluster's namespace: it must be gone at once, for the next one will have its name.
        drop = "if ip link show eth0 > /dev/null 2>&1; then ip link del eth0; fi"
        run(["nsenter", f"--net={file}", "sh", "-c", drop])
        run(["ip", "netns", "delete", name])
    file.unlink(missing_ok=True)  # after a reboot only the empty file is left, which `ip` would not delete


def _others(name: str) -> set[Identity]:
    return members(name) - {who for who in [identify(os.getpid())] if who}
