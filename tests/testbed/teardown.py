"""Removing a node: its processes, mounts, namespaces, cgroups and folders, and nothing of anybody else.

Every process is found by what it belongs to (its pid file, its cgroup, its network namespace), never by its name.
Mounts need no search: they are in the cluster's mount namespace, which ends with its last process.
"""

import contextlib
import shutil
from functools import partial
from pathlib import Path

from testbed import cgroups, network, paths
from testbed.process import Identity, running
from testbed.waiting import until, until_ended


def remove(name: str) -> None:
    """Remove whatever there is of the cluster, whole, broken or half made. Raises GaveUp if something will not go."""
    state = paths.state(name)
    pids = state / "pids"

    def daemons() -> set[Identity]:
        return {who for pidfile in pids.glob("*") if (who := running(pidfile))}

    # First those that would start containers again, then the containers, then their shims, which reap them.
    until_ended(f"the daemons of {name}", daemons)
    until_ended(f"the pods of {name}", partial(cgroups.members, name))
    for space in (network.beyond(name), name):
        network.remove(space)
    until(f"the cgroups of {name} to be empty", partial(cgroups.remove, name), timeout=30)
    for folder in (state, paths.sockets(name)):
        if folder.exists():
            shutil.rmtree(folder)
    if not any(Path("/run").glob("wo-*")):  # a mount point must not go while another cluster uses it
        for mount_point in network.PRIVATE:
            with contextlib.suppress(OSError):  # absent, or in use by something that is not ours
                Path(mount_point).rmdir()
