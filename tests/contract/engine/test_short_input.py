"""An encoder input no longer than the window and a tail: the same words, languages and times, whatever is beside it."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from assets import speech, weights
from assets.speech import Clip
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.wording import error_rate
from whisper_transcriber import engine
from whisper_transcriber.audio import windows
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.cutting import rules_for
from whisper_transcriber.domain.model import ModelSpec, Source
from whisper_transcriber.domain.options import Options, Vad
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.models import resolve


@cache
def base(encoder_input: Literal["auto", "full", "short"]) -> Engine:
    source = Source(path=str(weights.base()))
    spec = ModelSpec(name="base", source=source, compute_type="int8", encoder_input=encoder_input)
    return engine.load(resolve(spec, Path("/models"), Path("/nonexistent")), spec, 2)


def items(clips: Sequence[Clip], options: Options | None = None) -> list[Item]:
    """One window for each clip."""
    return [Item(Window(0, 0.0, clip.seconds), samples_of(clip.path), options or Options()) for clip in clips]


def text(result: WindowResult) -> str:
    return "".join(segment.text for segment in result.segments)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Of several lengths and languages."""
    some = [
        [clip for clip in speech.sentences(language) if clip.seconds < 12][:40:13] for language in ("en", "fr", "ru")
    ]
    return [clip for each in some for clip in each]


def test_it_is_on_where_the_weights_are_proven_and_it_was_not_refused() -> None:
    samples = np.zeros(SAMPLE_RATE * 4, np.float32)
    frames = {kind: len(base(kind).encode([samples])[0].states.hidden) for kind in ("auto", "full", "short")}
    assert frames == {"auto": 300, "full": 1500, "short": 300}


def test_languages_and_words_are_those_of_the_full_input(clips: list[Clip]) -> None:
    full, short = (Pipeline(base(kind)).run(items(clips)) for kind in ("full", "short"))
    assert [result.language for result in short] == [clip.language for clip in clips]
    english = [index for index, clip in enumerate(clips) if clip.language == "en"]
    rates = [error_rate([(clips[index].text, text(results[index])) for index in english]) for results in (full, short)]
    assert rates[1] <= rates[0] + 0.02
    agree = error_rate([(text(a), text(b)) for a, b in zip(full, short, strict=True)], "any")
    assert agree <= 0.15  # of all languages; the full input's own text is the reference


def test_a_language_that_a_short_input_leaves_open_is_heard_again_with_the_full_one() -> None:
    clip = speech.prompt("vm-starmain")  # on the short input alone, `base` takes it for Chinese
    (result,) = Pipeline(base("short")).run(items([clip]))
    assert result.language == "en"


def test_words_are_at_the_same_times_as_with_the_full_input() -> None:
    asked = items([speech.prompt("demo-congrats")], Options(language="en", word_timestamps=True))
    asked = [Item(Window(0, 0.0, 10.0), asked[0].samples[: 10 * SAMPLE_RATE], asked[0].options)]
    (full,), (short,) = (Pipeline(base(kind)).run(asked) for kind in ("full", "short"))
    a, b = ([word for segment in result.segments for word in segment.words] for result in (full, short))
    plain, other = ([word.word.strip(" ,.!").lower() for word in words] for words in (a, b))
    same = SequenceMatcher(None, plain, other, autojunk=False)
    shifts = [abs(a[m.a + i].start - b[m.b + i].start) for m in same.get_matching_blocks() for i in range(m.size)]
    assert len(shifts) >= 0.8 * len(a)
    assert np.median(shifts) <= 0.1
    assert all(0 <= word.start <= word.end <= 10.02 for word in b)


def test_each_window_is_transcribed_as_if_it_were_alone(clips: list[Clip]) -> None:
    pipeline = Pipeline(base("short"))
    asked = items(clips, Options(word_timestamps=True))
    together = pipeline.run(asked)
    assert pipeline.run(asked[::-1]) == together[::-1]
    assert [pipeline.run([item])[0] for item in asked] == together


def test_what_is_said_again_is_in_the_text_again() -> None:
    """Whisper leaves it out, above all where its encoder saw little: such windows are cut in a pause."""
    names = [f"confbridge-begin-glorious-{take}" for take in "abc"]
    names += [f"confbridge-rest-list-vol-{place}" for place in ("in", "out")]
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    samples = np.concatenate([part for name in names for part in (samples_of(speech.prompt(name).path), pause)])
    pipeline = Pipeline(base("auto"))
    rules = rules_for(Vad(), pipeline.engine.longest("en"))
    cut = [Item(window, audio, Options(language="en")) for window, audio in windows([samples], rules=rules)]
    together = pipeline.run(cut)
    said = " ".join(text(result) for result in together).lower()
    assert (said.count("leader arrives"), said.count("default level")) == (3, 2)
    assert [pipeline.run([item])[0] for item in cut] == together
    times = [segment.start for result in together for segment in result.segments]
    assert times == sorted(times)
