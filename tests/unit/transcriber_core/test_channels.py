"""Two people on a channel each: told apart, even where mixing them down would be silence."""

from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core.hostile.boxes import wav
from unit.transcriber_core.media import RATE, Samples, encoded, samples_of
from whisper_transcriber.audio import channels, decode
from whisper_transcriber.domain.audio import InvalidAudio

SECONDS = 8


@pytest.fixture(scope="module")
def two() -> Samples:
    """A person who speaks English on the left, one who speaks French on the right."""
    return np.stack(
        [samples_of(speech.prompt("demo-congrats", language).path)[: RATE * SECONDS] for language in ("en", "fr")]
    )


def channel(path: Path, number: int) -> Samples:
    with decode(path, channel=number) as decoding:
        samples = np.concatenate(list(decoding))
        assert decoding.warning is None
    return samples


def alike(one: Samples, other: Samples) -> float:
    """The correlation of two recordings, whichever of them a codec has put off by up to 50 ms."""
    length = min(len(one), len(other))
    spectrum = np.fft.rfft(one[:length], 2 * length) * np.conj(np.fft.rfft(other[:length], 2 * length))
    at_lags = np.fft.irfft(spectrum)
    near = np.concatenate([at_lags[:800], at_lags[-800:]])
    return float(np.abs(near).max() / np.sqrt(np.sum(one[:length] ** 2) * np.sum(other[:length] ** 2)))


@pytest.mark.parametrize(
    ("form", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 16_000),
        ("flac", "flac", 44_100),
        ("mp3", "libmp3lame", 44_100),
        ("webm", "libopus", 48_000),
    ],
)
def test_two_people_are_told_apart(form: str, codec: str, rate: int, two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "call"
    path.write_bytes(encoded(form, codec, two, rate, "stereo"))
    assert channels(path) == 2
    left, right = channel(path, 0), channel(path, 1)
    assert len(left) / RATE == len(right) / RATE == pytest.approx(SECONDS, abs=0.1)
    assert alike(left, two[0]) > 0.97
    assert alike(right, two[1]) > 0.97
    assert alike(left, two[1]) < 0.2
    assert alike(right, two[0]) < 0.2


def test_inverted_stereo_cancels_when_mixed_and_not_when_kept_apart(two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "call"
    path.write_bytes(wav(np.stack([two[0], -two[0]]).T.reshape(-1), channels=2))
    with decode(path) as mixed:
        assert np.abs(np.concatenate(list(mixed))).max() < 1e-3
    assert np.allclose(channel(path, 0), two[0], atol=1e-4)
    assert np.allclose(channel(path, 1), -two[0], atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_each_of_up_to_eight_channels_is_itself(count: int, two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "table"
    people = np.stack([np.roll(two[0], 1600 * number) for number in range(count)])
    path.write_bytes(wav(people.T.reshape(-1), channels=count))
    assert channels(path) == count
    for number in (0, count - 1):
        assert np.allclose(channel(path, number), people[number], atol=1e-4)


@pytest.mark.parametrize(
    ("count", "number", "why"),
    [(2, 2, "has 2 channels, and no channel 3"), (9, 0, "has 9 channels; at most 8 can be told apart")],
)
def test_a_channel_that_cannot_be_had_is_refused(
    count: int, number: int, why: str, two: Samples, tmp_path: Path
) -> None:
    path = tmp_path / "table"
    path.write_bytes(wav(np.repeat(two[0], count), channels=count))
    with decode(path, channel=number) as decoding, pytest.raises(InvalidAudio, match=why):
        next(decoding)


def test_a_channel_that_ends_is_silent_from_there(two: Samples, tmp_path: Path) -> None:
    """A recorder may go on in mono: the clock of what is decoded stays right."""
    path = tmp_path / "call"
    path.write_bytes(encoded("adts", "aac", two, 44_100, "stereo") + encoded("adts", "aac", two[0], 44_100))
    right = channel(path, 1)
    assert len(right) / RATE == pytest.approx(2 * SECONDS, abs=0.5)
    assert alike(right[: RATE * SECONDS], two[1]) > 0.97
    assert np.abs(right[RATE * (SECONDS + 1) :]).max() == 0
