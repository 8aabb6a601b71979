"""One at a time, across processes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from testbed import paths
from testbed.say import say


@contextmanager
def locked(what: str) -> Iterator[None]:
    """Hold the lock called `what`; says so if another process has it. The kernel frees it when its holder dies."""
    folder = paths.cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / what).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process: {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
