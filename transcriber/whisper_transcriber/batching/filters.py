"""What is taken out of a decoding before it becomes text: phrases that nobody can have said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from whisper_transcriber.batching.gate import excessive, repetitive, silent
from whisper_transcriber.domain.window import Heard, Stretch
from whisper_transcriber.engine.port import Decoded, Phrase

_MARGIN: Final = 0.5  # s; the model's timestamps are not exact, and speech that near is taken for the phrase's own
_REPETITIONS: Final = 2  # phrases that are left of a row of equal ones, where the decoder was in a loop


def heard_from(heard: Heard | None, start: float, end: float = float("inf")) -> Heard | None:
    """What was heard between two times of the file, in seconds since the first."""
    if heard is None:
        return None
    within = (Stretch(max(each.start, start) - start, min(each.end, end) - start) for each in heard.stretches)
    return Heard(tuple(each for each in within if each.start < each.end), heard.certainty)


def believed(decoded: Decoded, heard: Heard | None) -> Decoded:
    """The decoding without what was never said; its own phrases, times and `heard` since the same moment.

    Nothing of it is left where there was no speech, or where the text is too long for the speech that there was. A
    phrase is dropped where the voice detector heard nothing near it; and in a loop, from its third time in a row on.
    """
    if silent(decoded, heard) or excessive(decoded.text, heard):
        phrases: Sequence[Phrase] = ()
    else:
        phrases = _without_loop(decoded.phrases) if repetitive(decoded.text) else decoded.phrases
        phrases = [phrase for phrase in phrases if heard is None or _spoken(phrase, heard)]
    if len(phrases) == len(decoded.phrases):
        return decoded
    return replace(decoded, phrases=tuple(phrases), text="".join(phrase.text for phrase in phrases))


def _without_loop(phrases: Sequence[Phrase]) -> list[Phrase]:
    rows = (list(row) for _, row in groupby(phrases, key=lambda phrase: phrase.text.strip().lower()))
    return [phrase for row in rows for phrase in row[:_REPETITIONS]]


def _spoken(phrase: Phrase, heard: Heard) -> bool:
    return any(each.start < phrase.end + _MARGIN and phrase.start - _MARGIN < each.end for each in heard.stretches)
