"""What is wrong when a batch raises: the device's memory, or one row of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# CTranslate2 and cuBLAS raise a RuntimeError with one of these words, torch an OutOfMemoryError with the first.
_WORDS = ("out of memory", "cublas_status_alloc_failed", "failed to allocate", "bad_alloc", "bad allocation")


def out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may do."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


def bisected(
    run: Callable[[Sequence[T]], Sequence[R]], rows: Sequence[T], failed: Callable[[int, Exception], None]
) -> list[R | Exception]:
    """The answer for each row, or what it raises by itself: a batch that fails is run again in two halves.

    `failed` is told of each failure and the number of rows that were run. Blocks as `run` does.
    """
    try:
        return list(run(rows))
    except Exception as error:
        failed(len(rows), error)
        if len(rows) == 1:
            return [error]
    middle = len(rows) // 2
    return [*bisected(run, rows[:middle], failed), *bisected(run, rows[middle:], failed)]
