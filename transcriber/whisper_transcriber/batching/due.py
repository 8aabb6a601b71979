"""Which waiting windows make the next batch: pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A window in the queue: what it may share a batch with, and when it came (seconds of a monotonic clock)."""

    key: Hashable
    arrived: float


def due(waiting: Sequence[Waiting], now: float, size: int, patience: float) -> Sequence[Waiting]:
    """The next batch: windows that share the oldest one's key, once there are `size` or it has waited `patience` s."""
    batch = [each for each in waiting if each.key == waiting[0].key][:size] if waiting else []
    return batch if batch and (len(batch) == size or now - batch[0].arrived >= patience) else ()
