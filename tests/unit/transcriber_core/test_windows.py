"""From samples to windows: the same whatever the blocks, with the samples that belong to them."""

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assets import speech
from unit.transcriber_core.media import samples_of
from whisper_transcriber.audio import windows
from whisper_transcriber.domain.cutting import RULES
from whisper_transcriber.domain.window import FRAME, Window

Samples = NDArray[np.float32]


def loud_is_speech(samples: Samples) -> NDArray[np.float32]:
    return np.asarray(np.abs(samples.reshape(-1, FRAME)).mean(axis=1) > 0.05, np.float32)


def divided(samples: Samples, sizes: list[int]) -> Iterator[Samples]:
    at = 0
    for size in sizes:
        yield samples[at : at + size]
        at += size
    yield samples[at:]


def tones(lengths: list[int]) -> Samples:
    """Stretches of tone and silence in turn, lengths in samples."""
    parts = [np.full(count, 0.3 if index % 2 else 0.0, np.float32) for index, count in enumerate(lengths)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


@given(
    st.lists(st.integers(0, 200_000), max_size=12),
    st.lists(st.integers(0, 100_000), max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_windows_do_not_depend_on_the_blocks_and_carry_their_samples(lengths: list[int], sizes: list[int]) -> None:
    samples = tones(lengths)
    whole = list(windows([samples], loud_is_speech))
    parts = list(windows(divided(samples, sizes), loud_is_speech))
    assert [window for window, _ in whole] == [window for window, _ in parts]
    for (window, own), (_, other) in zip(whole, parts, strict=True):
        assert np.array_equal(own, other)
        assert np.array_equal(own, samples[round(window.start * 16_000) : round(window.end * 16_000)])
        assert len(own) <= 30 * 16_000
    assert [window.index for window, _ in whole] == list(range(len(whole)))


def test_real_speech_gives_the_same_windows_in_any_blocks() -> None:
    samples = samples_of(speech.prompt("demo-congrats").path)
    whole = [window for window, _ in windows([samples])]
    parts = [window for window, _ in windows(divided(samples, [1, 777, 16_000, 3]))]
    assert whole == parts
    assert whole


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_and_faint_noise_have_no_windows(level: float) -> None:
    noise = np.random.default_rng(7).normal(0, 1, 16_000 * 20).astype(np.float32) * np.float32(level)
    assert list(windows([noise])) == []


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_speech_is_found_even_when_it_is_quiet(gain: float) -> None:
    """At -30 dB as well: at least 95 % of the loud part of the recording is in a window."""
    samples = samples_of(speech.prompt("demo-congrats").path)
    loud = np.abs(samples) > 0.1
    covered = np.zeros(len(samples), bool)
    for window, _ in windows([samples * np.float32(gain)]):
        covered[round(window.start * 16_000) : round(window.end * 16_000)] = True
    assert covered[loud].mean() > 0.95


def test_speech_begins_as_early_when_it_is_quiet() -> None:
    """At -40 dB, of which 16 bits leave little, the first word is heard within 0.2 s of when it was heard loud."""
    for clip in [clip for language in speech.LANGUAGES for clip in speech.sentences(language)[::12]]:
        loud = samples_of(clip.path)
        quiet = np.asarray(np.round(loud * 327.68) / 32768, np.float32)
        begins = [
            window.heard.stretches[0].start for window in (first_window(loud), first_window(quiet)) if window.heard
        ]
        assert begins[1] == pytest.approx(begins[0], abs=0.2), clip.name


def first_window(samples: Samples) -> Window:
    return next(iter(windows([samples])))[0]


def test_a_window_says_where_speech_was_heard_in_it() -> None:
    second = np.full(16_000, 0.3, np.float32)
    ((window, _),) = windows([second * 0, second, second * 0, second, second[:5000] * 0], loud_is_speech)
    assert window.heard is not None
    assert [(round(each.start, 1), round(each.end, 1)) for each in window.heard.stretches] == [(1.0, 2.0), (3.0, 4.0)]
    assert window.heard.certainty == 1.0
    assert not window.laps


def test_speech_without_a_pause_is_in_windows_that_lap() -> None:
    random = np.random.default_rng(1)
    found = [
        window for window, _ in windows([random.uniform(0.2, 0.4, 16_000 * 70).astype(np.float32)], loud_is_speech)
    ]
    assert len(found) >= 3
    assert all(window.laps for window in found)
    for one, other in pairwise(found):
        assert one.end - other.start == pytest.approx(2 * RULES.lap * FRAME / 16_000)


def test_a_long_recording_is_cut_into_windows_of_at_most_thirty_seconds() -> None:
    clip = speech.long(200)
    found = list(windows([samples_of(clip.path)]))
    assert len(found) >= 7
    assert max(window.end - window.start for window, _ in found) <= 30.0
    assert sum(window.end - window.start for window, _ in found) > 0.9 * clip.seconds


def test_memory_does_not_grow_with_the_duration() -> None:
    """An hour of speech and silence in blocks of a second: never more than a few windows of samples at once."""
    block = np.full(16_000, 0.3, np.float32)
    hour = (block if second % 100 < 70 else block * 0 for second in range(3600))
    tracemalloc.start()
    try:
        count = sum(1 for _ in windows(hour, loud_is_speech))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count >= 36 * 3
    assert peak < 5 * 30 * 16_000 * 4
