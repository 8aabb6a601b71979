"""Processes that outlive the program which started them, and are found again without ever meeting a stranger.

A pid alone may have been given to another process since. So a pid file also holds when the process started and in
which boot, and a signal goes through a pidfd that was checked against both.
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.shell import sbin_path

# Children of this very program: they must be reaped here once killed, or they stay as zombies until it ends.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Identity:
    """One process for good: `started` is in clock ticks since the boot whose id is `boot`."""

    pid: int
    started: int
    boot: str


def parse_stat(stat: str) -> tuple[str, int]:
    """State letter and start time (ticks since boot) from /proc/PID/stat; the name in it may hold any character."""
    fields = stat[stat.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None if nobody lives there (a zombie is dead)."""
    try:
        letter, started = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    if letter in "ZX":
        return None
    return Identity(pid, started, Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def running(pidfile: Path) -> Identity | None:
    """The living process that this pid file was written for, or None."""
    try:
        written = Identity(**json.loads(pidfile.read_text()))
    except (FileNotFoundError, ValueError):  # absent, or cut off by a crash while it was written
        return None
    return written if identify(written.pid) == written else None


def start(name: str, argv: Sequence[str | Path], state: Path) -> Path:
    """Start a daemon in a session of its own; it logs to state/logs/NAME.log. Returns its pid file, state/pids/NAME."""
    for folder in ("pids", "logs"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PATH": sbin_path(os.environ.get("PATH", os.defpath))}
    # Whoever is interrupted in between would leave a process that no pid file tells of.
    with _uninterrupted(), (state / "logs" / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            umask=0o022,
            start_new_session=True,
        )
        _children[child.pid] = child
        pidfile = state / "pids" / name
        who = identify(child.pid)
        pidfile.write_text(json.dumps(asdict(who)) if who else "")
    return pidfile


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C counts once the block has ended. A child that is started in it takes Ctrl-C as it would have before."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt


def kill(victims: Iterable[Identity], how: signal.Signals = signal.SIGKILL) -> None:
    """Signal every one of them that still lives, and nobody else."""
    for victim in victims:
        try:
            handle = os.pidfd_open(victim.pid)
        except ProcessLookupError:
            continue
        try:
            if identify(victim.pid) == victim:  # checked after the open: the handle cannot move to another process
                signal.pidfd_send_signal(handle, how)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


def reap() -> None:
    """Collect the children of this program that have ended."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
