"""How many processors the engine may use."""

from __future__ import annotations

import os
from pathlib import Path


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
