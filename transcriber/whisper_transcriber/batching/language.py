"""The windows that are heard once more in the language of the file: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whisper_transcriber.domain.lasting import SURE
from whisper_transcriber.domain.transcript import WindowResult, main_language


def unsettled(results: Sequence[WindowResult]) -> tuple[str | None, list[WindowResult]]:
    """The language of most of the speech, and the windows that were taken for another one without being sure.

    Those are to be decoded once more in that language. It depends on nothing but the results of all windows: not on
    which of them was done first. None where there was no speech.
    """
    language = main_language(results)
    if language is None:
        return None, []
    unsure = [each for each in results if each.language != language and each.language_probability < SURE]
    return language, sorted(unsure, key=lambda each: each.window.index)


def settled(before: WindowResult, again: WindowResult) -> WindowResult:
    """A window decoded once more, with how sure the model was of its language by itself: it was not told then."""
    return replace(again, language_probability=before.language_probability)
