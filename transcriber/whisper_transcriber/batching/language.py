"""The windows that are heard once more in the language of the file: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from whisper_transcriber.domain.lasting import SURE
from whisper_transcriber.domain.transcript import WindowResult, by_channel, main_language
from whisper_transcriber.domain.window import Window


def unsettled(results: Iterable[WindowResult]) -> dict[Window, str]:
    """The windows that were taken for another language than most of the speech without being sure, and that language.

    They are to be decoded once more in it. It is the language of their own channel where channels are kept apart: two
    people may speak two. It depends on nothing but the results of all windows: not on which of them was done first.
    """
    found: dict[Window, str] = {}
    for stream in by_channel(results).values():
        language = main_language(stream)
        if language is not None:
            unsure = [each for each in stream if each.language != language and each.language_probability < SURE]
            found |= {each.window: language for each in unsure}
    return found


def settled(before: WindowResult, again: WindowResult) -> WindowResult:
    """A window decoded once more, with how sure the model was of its language by itself: it was not told then."""
    return replace(again, language_probability=before.language_probability)
