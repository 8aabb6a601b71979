"""How many processors the engine may use, and how it divides them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_MOST_LANES: Final = 8  # each holds what it computes with: about as much memory again as a small model's weights


def processors(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The processors this process may use, at least 1: its affinity, or its cgroup's limit (v2) rounded up, if less."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):  # not in a cgroup of its own
        return allowed
    if quota == "max":
        return allowed
    return max(1, min(allowed, -(-int(quota) // int(period))))


class Lanes(NamedTuple):
    """How an engine computes: so many calls side by side, on so many processors each."""

    lanes: int
    threads: int


def lanes(threads: int, device: str) -> Lanes:
    """Lanes of one thread on processors, which do not wait for each other; one lane on a GPU, which has its own."""
    if device != "cpu":
        return Lanes(1, threads)
    count = min(threads, _MOST_LANES)
    return Lanes(count, threads // count)
