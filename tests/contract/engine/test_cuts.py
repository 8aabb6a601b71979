"""Cuts in the middle of speech lose no word and double none: a voice that never pauses, cut as often as can be."""

from dataclasses import replace

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from assets import sounds
from contract.engine.recordings import Samples, real
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.wording import normalised
from whisper_transcriber import audio
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.cutting import RULES
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult, stitch
from whisper_transcriber.domain.window import FRAME, frames_in

STORY = (
    "the farmer walked down to the river early in the morning because he wanted to see whether the water had come "
    "over the bank during the night and when he got there he found that two of his boats were gone and a third one "
    "was full of mud so he called his brother who lived on the other side of the hill and together they began to "
    "look for the boats along the shore while the rain kept falling and the wind grew stronger every hour until "
    "they could hardly see the trees in front of them and had to stop under a bridge where an old woman was selling "
    "hot soup and bread to the workers who were building the new road to the city and she told them that she had "
    "seen a green boat drift past the mill at noon with a dog sitting in it quite calm as if it had planned the "
    "journey for a long time"
)


def all_speech(samples: Samples) -> NDArray[np.float32]:
    """A detector that never hears a pause, so that every cut is in the middle of speech."""
    return np.ones(len(samples) // FRAME, np.float32)


@pytest.mark.parametrize("model", ["base", "tiny.en"])
def test_no_word_is_lost_or_doubled_at_a_seam(model: str) -> None:
    clip = sounds.spoken(STORY, words_per_minute=190)
    rules = replace(RULES, longest=frames_in(10.0))
    cut = list(audio.windows([samples_of(clip.path)], all_speech, rules))
    assert len(cut) >= 5
    assert all(window.laps for window, _ in cut)
    results = Pipeline(real(model)).run([Item(window, samples, Options(language="en")) for window, samples in cut])
    heard = beside_the_story("".join(segment.text for result in results for segment in result.segments))
    assert heard.insertions > 20  # each window's own words: those that two of them share are there twice
    # An engine that aligns no words is joined by the words alone.
    for parts in (results, [without_times(result) for result in results]):
        text = stitch(parts, duration=clip.seconds, model="", model_digest="", engine="").text
        joined = beside_the_story(text)
        assert joined.insertions == 0, text
        # Of a word that one window misheard, the other's may have been the right one.
        assert joined.hits >= 0.98 * heard.hits, text
        assert joined.wer < 0.12, text


def beside_the_story(text: str) -> jiwer.WordOutput:
    """What was heard beside what was read, with figures and spellings made alike."""
    return jiwer.process_words(" ".join(normalised(STORY)), " ".join(normalised(text)))


def without_times(result: WindowResult) -> WindowResult:
    return replace(result, segments=tuple(replace(segment, words=()) for segment in result.segments))
