"""Waiting for a condition, or for the end of processes, with a limit; the only place that pauses."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.paths import log_tail
from testbed.process import Identity, kill, reap, running


class GaveUp(RuntimeError):
    """A condition did not come true in time, or a process that it needs has died."""


def until(what: str, condition: Callable[[], bool], *, timeout: float, needs: Sequence[Path] = ()) -> None:
    """Return once `condition` holds.

    needs: pid files (`state/pids/<name>`) of the processes without which waiting is pointless.
    Raises GaveUp after `timeout` seconds, or as soon as one of those processes has died, with the end of its log.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        for pidfile in needs:
            if running(pidfile) is None:
                log = pidfile.parent.parent / "logs" / f"{pidfile.name}.log"
                raise GaveUp(f"{pidfile.name} died while waiting for {what}; the end of {log}:\n{log_tail(log)}")
        if time.monotonic() > deadline:
            raise GaveUp(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(0.05)


def until_ended(what: str, find: Callable[[], set[Identity]]) -> None:
    """Kill the processes that `find` finds until it finds none. Raises GaveUp if one does not end."""

    def gone() -> bool:
        victims = find()
        kill(victims)
        reap()
        return not victims

    until(f"{what} to end", gone, timeout=60)
