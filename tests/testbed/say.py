"""Progress for people, on stderr: standard output belongs to the command's answer."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_START = time.monotonic()


def say(message: str) -> None:
    """One line with the seconds since the program started."""
    print(f"[{time.monotonic() - _START:6.1f} s] {message}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says what begins, and how long it took once it is done."""
    say(what)
    began = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - began:.1f} s")
