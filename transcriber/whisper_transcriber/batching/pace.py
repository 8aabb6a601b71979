"""How large a batch may be: by how long windows take here, and by what the device's memory holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

_WEIGHT: Final = 0.3  # of the newest batch in the running means
_REGROWTH: Final = 1 / 64  # rows that the limit grows by with each full batch, after memory ran out
_KINDS: Final = 64  # keys that are remembered, those of the newest batches


def batch_size(most: int, target: float, seconds_per_window: float | None) -> int:
    """How many windows a batch may have, so that it lasts about `target` seconds; one while nothing is known."""
    if seconds_per_window is None:
        return 1
    return max(1, min(most, int(target / max(seconds_per_window, 1e-6))))


class Pace:
    """What is learnt from each batch: how long windows of its key take, and how many rows fit.

    What comes next waits for a batch, so most batches, not only those on the average, are to be over in `target` s.
    """

    def __init__(self, most: int, target: float) -> None:
        self._most = most
        self._target = target
        self._fits = float(most)
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()
        self._batch: float | None = None

    @property
    def seconds(self) -> float:
        """How long a batch takes on the average; 0 while nothing is known."""
        return self._batch or 0.0

    def size(self, key: Hashable) -> int:
        """The most rows of the next batch of a key; one that is new is taken for the slowest that is known."""
        known = [self._kinds[key]] if key in self._kinds else self._kinds.values()
        return batch_size(int(self._fits), self._target, max((kind.slow for kind in known), default=None))

    def took(self, key: Hashable, rows: int, seconds: float) -> None:
        """A batch of so many rows was computed."""
        if rows >= int(self._fits):
            self._fits = min(self._most, self._fits + _REGROWTH)
        self._batch = seconds if self._batch is None else self._batch + _WEIGHT * (seconds - self._batch)
        self._kinds.setdefault(key, _Kind(seconds / rows)).took(seconds / rows)
        self._kinds.move_to_end(key)
        if len(self._kinds) > _KINDS:
            self._kinds.popitem(last=False)

    def too_large(self, rows: int) -> None:
        """A batch of so many rows did not fit into memory: from now on at most half as many, and slowly more again."""
        self._fits = min(self._fits, max(1.0, rows // 2))


class _Kind:
    """Running means of the seconds per window, and of how far they are from it."""

    def __init__(self, first: float) -> None:
        self.mean = first
        self.spread = 0.0

    @property
    def slow(self) -> float:
        """What a window takes that is slower than usual."""
        return self.mean + self.spread

    def took(self, each: float) -> None:
        """One more batch."""
        self.spread += _WEIGHT * (abs(each - self.mean) - self.spread)
        self.mean += _WEIGHT * (each - self.mean)
