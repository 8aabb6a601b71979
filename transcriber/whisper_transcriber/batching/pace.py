"""How large a batch may be: by how long windows take here, and by what the device's memory holds."""

from __future__ import annotations

from typing import Final

_WEIGHT: Final = 0.3  # of the newest batch in the running mean
_REGROWTH: Final = 1 / 64  # rows that the limit grows by with each full batch, after memory ran out


def batch_size(most: int, target: float, seconds_per_window: float | None) -> int:
    """How many windows a batch may have, so that it lasts about `target` seconds; one while nothing is known."""
    if seconds_per_window is None:
        return 1
    return max(1, min(most, int(target / max(seconds_per_window, 1e-6))))


class Pace:
    """What is learnt from each batch: a running mean of its seconds per window, and how many rows fit."""

    def __init__(self, most: int, target: float) -> None:
        self._most = most
        self._target = target
        self._fits = float(most)
        self._each: float | None = None

    @property
    def size(self) -> int:
        """The most rows of the next batch."""
        return batch_size(int(self._fits), self._target, self._each)

    @property
    def seconds(self) -> float:
        """How long a full batch will take; 0 while nothing is known."""
        return (self._each or 0.0) * self.size

    def took(self, rows: int, seconds: float) -> None:
        """A batch of so many rows was computed."""
        each = seconds / rows
        if rows >= int(self._fits):
            self._fits = min(self._most, self._fits + _REGROWTH)
        self._each = each if self._each is None else self._each + _WEIGHT * (each - self._each)

    def too_large(self, rows: int) -> None:
        """A batch of so many rows did not fit into memory: from now on at most half as many, and slowly more again."""
        self._fits = min(self._fits, max(1.0, rows // 2))
