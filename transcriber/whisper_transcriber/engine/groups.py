"""Rows that a library cannot mix in one call go into several: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_groups(lengths: Sequence[int], call: Callable[[Sequence[int]], Sequence[T]]) -> list[T]:
    """`call` the indices of rows of equal length together, longest first; the answers in the order of the rows."""
    answers: dict[int, T] = {}
    for length in sorted(set(lengths), reverse=True):
        group = [index for index, own in enumerate(lengths) if own == length]
        answers.update(zip(group, call(group), strict=True))
    return [answers[index] for index in range(len(lengths))]
