"""Which windows of a file that is still being heard will stay as they are: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from whisper_transcriber.domain.seams import without_doubles
from whisper_transcriber.domain.transcript import WindowResult

SURE: Final = 0.5
"""Of a language; below it, what the rest of the file is in says more than one short window."""


def lasting(results: Sequence[WindowResult], *, whole: bool = False) -> list[WindowResult]:
    """The first windows of a part as they will be in the transcript, whatever is heard in the others.

    `results` are those of the part that are there, in any order; `whole` if these are all. A window waits for those
    before it; for the next one, where the two share audio; and where its language is unsure, for the end of the file:
    it may be heard again then.
    """
    known: list[WindowResult] = []
    for result in sorted(results, key=lambda result: result.window.index):
        if result.window.index != len(known) or result.language_probability < SURE:
            whole = False
            break
        known.append(result)
    if known and known[-1].window.laps and not whole:
        return without_doubles(known)[:-1]
    return without_doubles(known)
