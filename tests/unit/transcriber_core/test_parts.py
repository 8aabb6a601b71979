"""Long files in parts: all of the audio, once, in order, the same however it comes and whoever goes on."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assets import speech
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.test_windows import divided
from whisper_transcriber.audio.parts import Kept, beginning, blocks_of, parts, pcm_bytes
from whisper_transcriber.domain.parts import Part, PartRules, part_end, samples_at
from whisper_transcriber.domain.window import FRAME

SECONDS = st.sampled_from([0.3, 0.5, 1.0, 2.0])
LOUDNESS = st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from([0.0, 0.001, 0.1, 0.5])), max_size=12)


def audio(runs: list[tuple[int, float]]) -> NDArray[np.float32]:
    """Stretches of noise, each of so many samples and so loud."""
    made = [np.random.default_rng(count).uniform(-loud, loud, count).astype(np.float32) for count, loud in runs]
    return np.concatenate([np.zeros(0, np.float32), *made])


@given(LOUDNESS, st.lists(st.integers(0, 30_000), max_size=20), SECONDS)
@settings(deadline=None, max_examples=150)
def test_parts_cover_the_audio_once_and_in_order_whatever_the_blocks(
    runs: list[tuple[int, float]], sizes: list[int], seconds: float
) -> None:
    samples, rules = audio(runs), PartRules.of(seconds)
    whole = list(parts([samples], rules))
    pieces = list(parts(divided(samples, sizes), rules))
    assert [part for part, _ in whole] == [part for part, _ in pieces]
    joined = np.concatenate([np.zeros(0, np.int16), *(kept for _, kept in pieces)])
    assert np.array_equal(joined, np.rint(samples * 32768).astype(np.int16))
    assert [part.number for part, _ in whole] == list(range(len(whole)))
    bounds = [0.0, *(part.end for part, _ in whole)]
    assert [part.start for part, _ in whole] == bounds[:-1]
    assert samples_at(bounds[-1]) == len(samples)
    for part, kept in whole:
        assert len(kept) == samples_at(part.end) - samples_at(part.start) <= rules.longest * FRAME
    for part, _ in whole[:-1]:
        assert abs(samples_at(part.end) - samples_at(part.start) - rules.length * FRAME) <= rules.slack * FRAME


@given(LOUDNESS, SECONDS, st.data())
@settings(deadline=None, max_examples=60)
def test_whoever_goes_on_after_any_part_cuts_the_same(
    runs: list[tuple[int, float]], seconds: float, data: st.DataObject
) -> None:
    samples, rules = audio(runs), PartRules.of(seconds)
    whole = [part for part, _ in parts([samples], rules)]
    if whole:
        done = data.draw(st.integers(0, len(whole) - 1))
        assert [part for part, _ in parts([samples], rules, whole[done])] == whole[done + 1 :]


@given(st.integers(0, 60_000), SECONDS, st.integers(1, 20_000))
@settings(deadline=None)
def test_a_file_is_long_exactly_if_it_has_more_than_one_part(count: int, seconds: float, size: int) -> None:
    samples, rules = np.full(count, 0.1, np.float32), PartRules.of(seconds)
    long, kept = beginning(divided(samples, [size] * (count // size)), rules, most=1.0)
    assert long == (len(list(parts([samples], rules))) > 1)
    assert (kept is not None) == (not long and count <= 16_000)
    if kept is not None:
        assert Kept(kept).seconds == count / 16_000
        assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *Kept(kept)]), samples)


@given(st.lists(st.integers(-32768, 32767), max_size=40_000))
@settings(deadline=None, max_examples=20)
def test_what_is_kept_comes_back_as_it_was(values: list[int]) -> None:
    pcm = np.array(values, np.int16)
    back = np.concatenate([np.zeros(0, np.float32), *blocks_of(pcm_bytes(pcm))])
    assert np.array_equal(back, pcm.astype(np.float32) / 32768)
    assert [kept.tolist() for _, kept in parts([back], PartRules.of(1000.0))] == ([values] if values else [])


def test_a_part_ends_in_the_middle_of_the_quietest_pause() -> None:
    rules = PartRules.of(300.0)
    loud = [1000] * len(rules.search)
    pause = slice(100, 100 + rules.pause)
    loud[pause] = [1] * rules.pause
    assert part_end(loud, rules) == rules.search.start + 100 + rules.pause // 2


def test_where_everything_is_equally_quiet_a_part_has_its_full_length() -> None:
    rules = PartRules.of(300.0)
    assert part_end([0] * len(rules.search), rules) == rules.length
    assert rules.longest * FRAME <= 450 * 16_000


def test_real_speech_is_cut_between_words() -> None:
    samples = samples_of(speech.long(60).path)
    found = list(parts([samples], PartRules.of(10.0)))
    assert len(found) >= 5
    usual = float(np.mean(np.square(samples)))
    for (one, _), (two, _) in pairwise(found):
        assert one.end == two.start
        around = samples[samples_at(one.end) - 1600 : samples_at(one.end) + 1600]
        assert float(np.mean(np.square(around))) < usual / 20


@pytest.mark.parametrize("seconds", [0.01, 1.0, 300.0, 3600.0])
def test_rules_leave_room_to_search(seconds: float) -> None:
    rules = PartRules.of(seconds)
    assert 0 < rules.pause <= rules.slack < rules.length
    assert rules.search.stop <= rules.longest
    assert Part(0, 0.0, 2.5).seconds == 2.5
