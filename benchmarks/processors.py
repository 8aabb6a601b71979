"""Which processors a part of a benchmark runs on."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

ALL = os.sched_getaffinity(0)
"""The processors of this machine that we may use."""


@contextmanager
def on(processors: Collection[int]) -> Iterator[None]:
    """What is started in this block runs on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
