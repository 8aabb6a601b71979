"""Removing a node: its processes, mounts, namespaces, cgroups and folders, and nothing of anybody else.

Every process is found by what it belongs to (its pid file, its cgroup, its network namespace), never by its name.
Mounts need no search: they are in the cluster's mount namespace, which ends with its last process.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from testbed import cgroups, network, paths
from testbed.process import Identity, identify, kill, reap, running
from testbed.waiting import until


def remove(name: str) -> None:
    """Remove whatever there is of the cluster, whole, broken or half made. Raises GaveUp if something will not go."""
    state = paths.state(name)
    pids = state / "pids"

    def daemons() -> set[Identity]:
        return {who for pidfile in pids.glob("*") if (who := running(pidfile))}

    # First those that would start containers again, then the containers, then their shims, which reap them.
    _end(f"the daemons of {name}", daemons)
    _end(f"the pods of {name}", partial(cgroups.members, name))
    _end(f"the namespace of {name}", partial(_others, name))
    until(f"the cgroups of {name} to be empty", partial(cgroups.remove, name), timeout=30)
    network.remove(name)
    for folder in (state, paths.sockets(name)):
        if folder.exists():
            shutil.rmtree(folder)
    if not any(Path("/run").glob("wo-*")):  # a mount point must not go while another cluster uses it
        for mount_point in network.PRIVATE:
            with contextlib.suppress(OSError):  # absent, or in use by something that is not ours
                Path(mount_point).rmdir()


def _others(name: str) -> set[Identity]:
    return network.members(name) - {who for who in [identify(os.getpid())] if who}


def _end(what: str, find: Callable[[], set[Identity]]) -> None:
    def gone() -> bool:
        victims = find()
        kill(victims)
        reap()
        return not victims

    until(f"{what} to end", gone, timeout=60)
