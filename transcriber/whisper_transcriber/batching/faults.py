"""What is wrong when a batch raises: the device's memory, one row of it, or the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeVar

from whisper_transcriber.domain.model import BrokenEngine
from whisper_transcriber.domain.options import UnsupportedOption

T = TypeVar("T")
R = TypeVar("R")

# CTranslate2 and cuBLAS raise a RuntimeError with one of these words, torch an OutOfMemoryError with the first.
_WORDS = ("out of memory", "cublas_status_alloc_failed", "failed to allocate", "bad_alloc", "bad allocation")


def out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may do."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


Verdict: TypeAlias = Literal["refused", "full", "poisoned", "broken"]


def verdict(raised: BaseException, *, sound: bool) -> Verdict:
    """Whose fault it is that a window raised when it was computed by itself.

    `sound`: whether the engine can still do what it always could. If not, it is not the window's fault, whatever it
    raised. Else it was the user's (`refused`), the memory's (`full`), or there is something about the window.
    """
    if isinstance(raised, UnsupportedOption):
        return "refused"
    if not sound:
        return "broken"
    return "full" if out_of_memory(raised) else "poisoned"


def judged(answers: Sequence[R], check: Callable[[], Exception | None]) -> tuple[Sequence[R | BrokenEngine], bool]:
    """The answers of a batch, and whether the engine is broken: then it is what those say that raised.

    `check` computes what any engine can and gives what that raised; it is asked only where something else was raised.
    """
    raised = [each for each in answers if isinstance(each, Exception)]
    if not raised or all(verdict(each, sound=False) == "refused" for each in raised):
        return list(answers), False
    trouble = check()
    if trouble is None:
        return list(answers), False
    broken = BrokenEngine(f"{type(trouble).__name__}: {trouble}"[:300], suspect=True)
    return [
        broken if isinstance(each, Exception) and verdict(each, sound=False) == "broken" else each for each in answers
    ], True


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
