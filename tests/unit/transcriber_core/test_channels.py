"""Two people on a channel each: told apart, even where mixing them down would be silence."""

from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core.hostile.boxes import wav
from unit.transcriber_core.media import RATE, Samples, encoded, samples_of
from whisper_transcriber.audio import Limits, decode, headers, parts, pcm_bytes, windows
from whisper_transcriber.audio.parts import blocks_of
from whisper_transcriber.domain.audio import SAMPLE_RATE, AudioTooLong, InvalidAudio
from whisper_transcriber.domain.parts import PartRules

SECONDS = 8


@pytest.fixture(scope="module")
def two() -> Samples:
    """A person who speaks English on the left, one who speaks French on the right."""
    return np.stack(
        [samples_of(speech.prompt("demo-congrats", language).path)[: RATE * SECONDS] for language in ("en", "fr")]
    )


def apart(path: Path, channels: int = 2) -> Samples:
    """The channels of a file: a row for each."""
    with decode(path, channels=channels) as decoding:
        samples = np.concatenate(list(decoding))
        assert decoding.warning is None
        assert decoding.seconds == len(samples) / RATE
    return samples.T


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
    assert headers(path).channels == 2
    left, right = apart(path)
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
    left, right = apart(path)
    assert np.allclose(left, two[0], atol=1e-4)
    assert np.allclose(right, -two[0], atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_each_of_up_to_eight_channels_is_itself(count: int, two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "table"
    people = np.stack([np.roll(two[0], 1600 * number) for number in range(count)])
    path.write_bytes(wav(people.T.reshape(-1), channels=count))
    assert headers(path).channels == count
    assert np.allclose(apart(path, count), people, atol=1e-4)


def test_more_channels_than_can_be_kept_apart_are_refused(two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(wav(np.repeat(two[0], 9), channels=9))
    with decode(path, channels=9) as decoding, pytest.raises(InvalidAudio, match="has 9 channels; at most 8"):
        next(decoding)


def test_the_limit_is_one_of_time_however_many_channels_there_are(two: Samples, tmp_path: Path) -> None:
    path = tmp_path / "call"
    path.write_bytes(wav(two.T.reshape(-1), channels=2))
    assert apart(path).shape == (2, two.shape[1])
    with decode(path, Limits(max_seconds=SECONDS + 1), 2) as decoding:
        assert sum(map(len, decoding)) == two.shape[1]
    with decode(path, Limits(max_seconds=5), 2) as decoding, pytest.raises(AudioTooLong, match="5 seconds"):
        list(decoding)


def test_a_channel_that_ends_is_silent_from_there(two: Samples, tmp_path: Path) -> None:
    """A recorder may go on in mono: the clock of what is decoded stays right."""
    path = tmp_path / "call"
    path.write_bytes(encoded("adts", "aac", two, 44_100, "stereo") + encoded("adts", "aac", two[0], 44_100))
    _, right = apart(path)
    assert len(right) / RATE == pytest.approx(2 * SECONDS, abs=0.5)
    assert alike(right[: RATE * SECONDS], two[1]) > 0.97
    assert np.abs(right[RATE * (SECONDS + 1) :]).max() == 0


def test_each_channel_is_cut_as_it_would_be_alone_and_silence_in_one_holds_nobody_up(two: Samples) -> None:
    quiet = np.zeros(two.shape[1], np.float32)
    table = np.stack([quiet, *two]).T
    found = list(windows([table[:5000], table[5000:]]))
    for number, channel in enumerate(table.T):
        alone = [(window.start, window.end) for window, _ in windows([channel])]
        assert [(each.start, each.end) for each, _ in found if each.channel == number] == alone
        assert [each.index for each, _ in found if each.channel == number] == [
            number + 3 * count for count in range(len(alone))
        ]
    assert {each.channel for each, _ in found} == {1, 2}
    for window, samples in found:
        assert window.channel is not None
        start, end = round(window.start * SAMPLE_RATE), round(window.end * SAMPLE_RATE)
        assert np.array_equal(samples, table[start:end, window.channel])


def test_parts_keep_the_channels_and_cut_them_at_the_same_places(two: Samples) -> None:
    table, rules = two.T, PartRules.of(2.0)
    found = list(parts([table[:7777], table[7777:]], rules))
    assert len(found) >= 3
    again = [block for part, pcm in found for block in blocks_of(pcm_bytes(pcm), part)]
    assert np.allclose(np.concatenate(again), table, atol=1e-4)
    part, _ = found[0]
    assert [each for each, _ in parts([table], rules, part)] == [each for each, _ in found[1:]]
