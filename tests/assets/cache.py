"""The cache outside the checkout: folders that are either whole or not there."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """`$WHISPER_CACHE`, else `whisper-operator` under `$XDG_CACHE_HOME` or `~/.cache`."""
    if chosen := os.environ.get("WHISPER_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper-operator"


def say(message: str) -> None:
    """Progress, on stderr, so that what a command prints on stdout stays usable."""
    sys.stderr.write(f"{message}\n")  # one write: threads do not cut each other's lines


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; a second process waits. The kernel frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make(empty_folder)` if it is not there yet.

    Safe to call from several processes and to interrupt: the work is done beside it, under a lock, and renamed when
    whole.
    """
    if folder.is_dir():
        return folder
    with locked(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            half = folder.with_name(f".{folder.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            make(half)
            half.rename(folder)
    return folder
