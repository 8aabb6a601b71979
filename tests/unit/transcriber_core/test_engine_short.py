"""How long an encoder input is, which models have a short one, and that its features are the first of the full ones."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.engine.features import FRAMES, HOP, log_mel
from whisper_transcriber.engine.groups import in_groups
from whisper_transcriber.engine.shorter import PROVEN, TAIL, input_frames, short_languages
from whisper_transcriber.engine.threads import lanes

PROVEN_DIGEST = next(iter(PROVEN))
UNKNOWN_DIGEST = "sha256:" + "0" * 64


@given(st.integers(0, 480_000))
def test_the_input_holds_the_window_and_its_tail_or_is_full(samples: int) -> None:
    frames = input_frames(samples, short=True)
    assert frames % 2 == 0
    assert frames == FRAMES or samples / HOP + TAIL <= frames < samples / HOP + TAIL + 201
    assert input_frames(samples, short=False) == FRAMES


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [(0.0, 200), (1.0, 400), (10.001, 1400), (15.0, 1800), (24.0, 2600), (24.01, 3000), (30.0, 3000)],
)
def test_a_window_near_thirty_seconds_has_the_full_input(seconds: float, frames: int) -> None:
    assert input_frames(round(seconds * 16_000), short=True) == frames


@pytest.mark.parametrize(
    ("asked", "digest", "device", "languages"),
    [
        ("auto", PROVEN_DIGEST, "cpu", {"en"}),
        ("auto", PROVEN_DIGEST, "cuda", set()),
        ("auto", UNKNOWN_DIGEST, "cpu", set()),
        ("short", UNKNOWN_DIGEST, "cuda", {"en", "fr"}),
        ("full", PROVEN_DIGEST, "cpu", set()),
    ],
)
def test_only_proven_weights_have_a_short_input_unasked(
    asked: Literal["auto", "full", "short"], digest: str, device: str, languages: set[str]
) -> None:
    found = short_languages(ModelSpec(name="any", encoder_input=asked), digest, device)
    assert found & {"en", "fr"} == languages


def test_a_model_says_it_in_the_words_of_the_environment() -> None:
    assert ModelSpec.model_validate_json('{"name": "base", "encoderInput": "full"}').encoder_input == "full"


@pytest.mark.parametrize("seconds", [0.2, 3.0, 12.34])
def test_features_of_a_short_input_are_the_first_of_the_full_ones(seconds: float) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)
    frames = input_frames(len(samples), short=True)
    assert np.array_equal(log_mel(samples, 80, frames), log_mel(samples, 80)[:, :frames])


def test_an_input_shorter_than_the_window_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        log_mel(np.zeros(16_000, np.float32), 80, 98)


@given(st.lists(st.integers(1, 5)))
def test_rows_of_one_length_share_a_call_and_answers_keep_their_order(lengths: list[int]) -> None:
    calls: list[int] = []

    def call(group: Sequence[int]) -> Sequence[int]:
        calls.append(lengths[group[0]])
        assert {lengths[index] for index in group} == {calls[-1]}
        return group

    assert in_groups(lengths, call) == list(range(len(lengths)))
    assert calls == sorted(set(lengths), reverse=True)


@pytest.mark.parametrize(
    ("threads", "device", "expected"),
    [(1, "cpu", (1, 1)), (2, "cpu", (2, 1)), (8, "cpu", (8, 1)), (16, "cpu", (8, 2)), (16, "cuda", (1, 16))],
)
def test_processors_are_lanes_of_one_thread_and_a_gpu_is_one_lane(
    threads: int, device: str, expected: tuple[int, int]
) -> None:
    assert lanes(threads, device) == expected
