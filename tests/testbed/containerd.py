"""containerd: its configuration, and loading image archives into it."""

import shutil
from pathlib import Path

from testbed import images, paths, tiny
from testbed.loaded import Loaded
from testbed.locks import locked
from testbed.shell import CommandFailed, run


def config(name: str, state: Path) -> str:
    """containerd's configuration. Its state is in /run/containerd, private to the cluster (see network.PRIVATE)."""
    return f"""\
version = 2
root = "{state / "containerd"}"
state = "/run/containerd"
[grpc]
  address = "{socket(name)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{tiny.PAUSE}"
  # Without CAP_SYS_RESOURCE runc may not lower oom_score_adj, and every sandbox would die of trying.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins()}"
    conf_dir = "{state / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


def cni_plugins() -> Path:
    """Where the CNI plugins are: Debian's place, or the one that the CNI project names."""
    places = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
    return next((place for place in places if (place / "bridge").exists()), places[0])


def socket(name: str) -> Path:
    """containerd's socket, reachable from the host too."""
    return paths.sockets(name) / "containerd.sock"


def answers(name: str) -> bool:
    """Whether containerd serves."""
    try:
        ctr(name, "version", timeout=10)
    except CommandFailed:
        return False
    return True


def ctr(name: str, *words: str | Path, timeout: float = 600) -> str:
    """containerd's own client, in the namespace where Kubernetes looks for images."""
    return run([shutil.which("ctr") or "ctr", "-a", socket(name), "-n", "k8s.io", *words], timeout=timeout)


def load(name: str, archive: Path) -> list[str]:
    """Import a Docker or OCI archive, under every name that a pod may use for its images; returns those names.

    An archive that was the last one loaded under its names is not loaded again.
    """
    loaded = Loaded(paths.state(name) / "loaded.json")
    found = images.names(archive)
    if not found:
        raise ValueError(f"{archive} names no image: give it a name when you push or save it")
    with locked(f"load-{name}"):
        full = sorted({alias for short in found for alias in images.aliases(short)})
        if loaded.has(full, archive):
            return full
        ctr(name, "images", "import", archive)
        present = set(ctr(name, "images", "ls", "-q").split())
        for short in found:
            source = next(each for each in (images.normalise(short), short) if each in present)
            for alias in images.aliases(short) - {source}:
                ctr(name, "images", "tag", "--force", source, alias)
        loaded.note(full, archive)
    return full
