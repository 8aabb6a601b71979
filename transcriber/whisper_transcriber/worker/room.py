"""Which models make room for another: pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A model in memory: its bytes, how many are using it, and when it was last used (seconds of a monotonic clock)."""

    name: str
    size: int
    users: int
    last: float


def to_unload(kept: Sequence[Kept], needed: int, budget: int) -> Sequence[str] | None:
    """The models to unload so that `needed` bytes fit, the least recently used first; None if those in use leave none.

    A model that is larger than the budget is let in alone: sizes are estimates, and it may do.
    """
    excess = sum(model.size for model in kept) + needed - budget
    going: list[str] = []
    for model in sorted((model for model in kept if model.users == 0), key=lambda model: model.last):
        if excess <= 0:
            break
        going.append(model.name)
        excess -= model.size
    return going if excess <= 0 or len(going) == len(kept) else None
