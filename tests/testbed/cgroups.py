"""A cluster's own corner of every cgroup hierarchy, so that two kubelets do not clean up each other's pods."""

from pathlib import Path

from testbed.process import Identity, identify

_MOUNTS = Path("/proc/mounts")


def hierarchies(mounts: str) -> dict[Path, str]:
    """Where cgroup file systems are mounted, with their type (cgroup or cgroup2), from the text of /proc/mounts."""
    rows = (line.split() for line in mounts.splitlines())
    return {Path(row[1]): row[2] for row in rows if row[2] in ("cgroup", "cgroup2")}


def group(name: str) -> str:
    """The cgroup of a cluster's pods, below the root of each hierarchy."""
    return f"whisper-operator-{name}"


def create(name: str) -> None:
    """Make it everywhere; the kubelet refuses a cgroup root that is not there."""
    for root, kind in hierarchies(_MOUNTS.read_text()).items():
        folder = root / group(name)
        folder.mkdir(exist_ok=True)
        if kind == "cgroup2":
            _hand_down(root)
            _hand_down(folder)
        elif (folder / "cpuset.cpus").exists():  # a new cpuset is empty, and an empty one takes no process
            for setting in ("cpuset.cpus", "cpuset.mems"):
                (folder / setting).write_text((root / setting).read_text())


def _hand_down(folder: Path) -> None:
    controllers = (folder / "cgroup.controllers").read_text().split()
    if controllers:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in controllers))


def _folders(name: str) -> list[Path]:
    """Every cgroup of the cluster, the deepest first."""
    tops = [root / group(name) for root in hierarchies(_MOUNTS.read_text())]
    below = [path for top in tops for path in top.rglob("*") if path.is_dir()]
    return sorted((path for path in [*tops, *below] if path.exists()), key=lambda path: -len(path.parts))


def members(name: str) -> set[Identity]:
    """All living processes in the cluster's pods."""
    found: set[Identity] = set()
    for folder in _folders(name):
        try:
            pids = (folder / "cgroup.procs").read_text().split()
        except OSError:  # the group has gone meanwhile
            continue
        found |= {who for pid in pids if (who := identify(int(pid)))}
    return found


def remove(name: str) -> bool:
    """Remove what is empty; True once nothing is left. The last process's exit may still be under way: try again."""
    for folder in _folders(name):
        try:
            folder.rmdir()
        except OSError:
            return False
    return True
