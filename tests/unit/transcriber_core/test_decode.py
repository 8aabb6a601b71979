"""Decoding in the sandbox: every format, the limits, and what is said of a part. `test_hostile` has the bad files."""

import os
from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core import hostile
from unit.transcriber_core.media import RATE, Samples, encoded, samples_of, wav_header, write_media, write_wav
from whisper_transcriber.audio import Limits, decode, headers
from whisper_transcriber.domain.audio import AudioTooLong, InvalidAudio

SECONDS = 12


@pytest.fixture(scope="session")
def spoken() -> Samples:
    return samples_of(speech.prompt("demo-congrats").path)[: RATE * SECONDS]


def decoded(path: Path, limits: Limits | None = None) -> tuple[Samples, str | None]:
    with decode(path, limits) as decoding:
        blocks = list(decoding)
        return np.concatenate([np.zeros(0, np.float32), *blocks]), decoding.warning


@pytest.mark.parametrize(
    ("form", "codec", "rate"),
    [
        ("mp3", "libmp3lame", 44_100),
        ("mp2", "mp2", 44_100),
        ("webm", "libopus", 48_000),
        ("ogg", "libopus", 48_000),
        ("ipod", "aac", 44_100),
        ("ipod", "alac", 44_100),
        ("mp4", "aac", 16_000),
        ("mp4", "ac3", 48_000),
        ("mov", "pcm_s16le", 16_000),
        ("3gp", "libopencore_amrnb", 8_000),
        ("amr", "libopencore_amrnb", 8_000),
        ("flac", "flac", 16_000),
        ("adts", "aac", 44_100),
        ("latm", "aac", 44_100),
        ("matroska", "pcm_s16le", 8_000),
        ("aiff", "pcm_s16be", 16_000),
        ("au", "pcm_mulaw", 8_000),
        ("wav", "pcm_alaw", 8_000),
        ("wav", "pcm_f32le", 16_000),
        ("wav", "pcm_s24le", 48_000),
        ("wav", "pcm_u8", 16_000),
        ("wav", "adpcm_ms", 16_000),
        ("wav", "g726", 8_000),
        ("w64", "pcm_s16le", 16_000),
        ("caf", "alac", 44_100),
        ("asf", "wmav2", 44_100),
        ("avi", "libmp3lame", 44_100),
        ("flv", "aac", 44_100),
        ("mpegts", "aac", 44_100),
        ("mpeg", "mp2", 44_100),
        ("eac3", "eac3", 48_000),
        ("wv", "wavpack", 44_100),
        ("tta", "tta", 44_100),
    ],
)
def test_formats_are_decoded_to_16_khz_mono(
    form: str, codec: str, rate: int, spoken: Samples, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(form, codec, spoken[: 4 * RATE], rate))
    samples, warning = decoded(path)
    assert warning is None
    assert len(samples) / RATE == pytest.approx(4, abs=0.15)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(spoken[: 4 * RATE] ** 2)), rel=0.15)
    assert caplog.records == [], "decoded outside the sandbox"


def test_vorbis_which_has_two_channels_is_decoded(spoken: Samples, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded("ogg", "vorbis", np.stack([spoken, spoken]), 44_100, "stereo"))
    samples, warning = decoded(path)
    assert warning is None
    assert len(samples) / RATE == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.parametrize(("form", "codec"), [("webm", "libopus"), ("ipod", "aac"), ("wav", "pcm_s16le")])
def test_what_the_headers_say_is_told_before_decoding(form: str, codec: str, spoken: Samples, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(form, codec, np.stack([spoken, spoken]), 48_000, "stereo"))
    said = headers(path)
    assert said.seconds == pytest.approx(SECONDS, abs=0.1)
    assert said.channels == 2


def test_pcm_comes_through_unchanged(spoken: Samples, tmp_path: Path) -> None:
    samples, _ = decoded(write_wav(tmp_path / "a.wav", spoken))
    assert np.allclose(samples, spoken, atol=1e-4)


def test_stereo_is_mixed_down(spoken: Samples, tmp_path: Path) -> None:
    samples, _ = decoded(write_wav(tmp_path / "a.wav", spoken, channels=2))
    assert len(samples) == len(spoken)


def test_damaged_packets_are_left_out_and_said(spoken: Samples, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp3", spoken, "libmp3lame")
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(2)
    for index in random.integers(1000, len(data), 300):
        data[index] = random.integers(256)
    path.write_bytes(data)
    samples, warning = decoded(path)
    assert len(samples) > RATE
    assert warning is not None


def test_a_header_that_cannot_be_true_is_no_hint(spoken: Samples, tmp_path: Path) -> None:
    bait = hostile.Bait(0, tmp_path, spoken)
    path = tmp_path / "a"
    path.write_bytes(hostile.ALL["Ogg that says it is years long"].made(bait))
    assert headers(path).seconds is None
    path.write_bytes(hostile.ALL["zip of a WAV"].made(bait))
    with pytest.raises(InvalidAudio, match="not audio"):
        headers(path)


def test_audio_longer_than_the_limit_stops_there(spoken: Samples, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", spoken)
    with decode(path, Limits(max_seconds=5)) as decoding, pytest.raises(AudioTooLong, match="5 seconds"):
        for _ in decoding:
            pass
    assert decoding.seconds <= 5


def test_a_header_that_says_endless_is_not_believed(spoken: Samples, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", spoken)
    path.write_bytes(wav_header(RATE, 0xFFFFFFFF) + path.read_bytes()[44:])
    samples, warning = decoded(path)
    assert len(samples) == len(spoken)
    assert warning is None


def test_a_decoder_that_takes_too_long_is_stopped(spoken: Samples, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", spoken)
    with pytest.raises(InvalidAudio, match="too long to decode"):
        decoded(path, Limits(wait_seconds=0.0))


def test_a_decoder_gives_way_as_far_as_it_is_told_to() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for niceness in (0, 3):
        with decode(speech.long(20).path, Limits(niceness=niceness)) as decoding:
            next(decoding)  # it has begun, and waits for whoever reads
            assert os.getpriority(os.PRIO_PROCESS, decoding.pid) == own + niceness


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        decode(tmp_path / "missing.wav")
