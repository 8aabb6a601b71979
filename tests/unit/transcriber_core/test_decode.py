"""Decoding in the sandbox: every format, and no file that can crash it, hang it or make it open anything else."""

import os
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core.media import RATE, Samples, samples_of, wav_header, write_media, write_silent_film, write_wav
from whisper_transcriber.audio import Limits, decode, duration_hint
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
    ("name", "codec", "rate", "options"),
    [
        ("a.mp3", "libmp3lame", 44_100, ""),
        ("a.webm", "libopus", 48_000, ""),
        ("a.ogg", "libopus", 48_000, ""),
        ("a.m4a", "aac", 44_100, ""),
        ("a.mp4", "aac", 16_000, "movflags=+faststart"),
        ("a.flac", "flac", 16_000, ""),
        ("a.mkv", "pcm_s16le", 8_000, ""),
        ("a.aiff", "pcm_s16be", 16_000, ""),
    ],
)
def test_formats_are_decoded_to_16_khz_mono(
    name: str, codec: str, rate: int, options: str, spoken: Samples, tmp_path: Path
) -> None:
    path = write_media(tmp_path / name, spoken, codec, rate, options)
    samples, warning = decoded(path)
    assert warning is None
    assert len(samples) / RATE == pytest.approx(SECONDS, abs=0.15)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(spoken**2)), rel=0.15)
    assert duration_hint(path) == pytest.approx(SECONDS, abs=0.3)


def test_pcm_comes_through_unchanged(spoken: Samples, tmp_path: Path) -> None:
    samples, _ = decoded(write_wav(tmp_path / "a.wav", spoken))
    assert np.allclose(samples, spoken, atol=1e-4)


def test_stereo_is_mixed_down(spoken: Samples, tmp_path: Path) -> None:
    samples, _ = decoded(write_wav(tmp_path / "a.wav", spoken, channels=2))
    assert len(samples) == len(spoken)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("cut.mp3", "libmp3lame", ""),
        ("cut.webm", "libopus", ""),
        ("cut.mp4", "aac", "movflags=+faststart"),
        ("cut.flac", "flac", ""),
        ("cut.wav", "pcm_s16le", ""),
    ],
)
def test_a_file_that_breaks_off_gives_its_beginning_and_a_warning(
    name: str, codec: str, options: str, spoken: Samples, tmp_path: Path
) -> None:
    rate = 48_000 if codec == "libopus" else RATE
    path = write_media(tmp_path / name, spoken, codec, rate, options)
    os.truncate(path, path.stat().st_size // 2)
    samples, warning = decoded(path)
    assert 0.3 * SECONDS < len(samples) / RATE < 0.7 * SECONDS
    assert warning is not None
    assert "ends early" in warning


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


BROKEN: dict[str, Callable[[Path, bytes], bytes]] = {
    "empty.wav": lambda folder, wav: b"",
    "one-byte.wav": lambda folder, wav: b"R",
    "text.mp3": lambda folder, wav: b"To be, or not to be\n" * 500,
    "header-only.wav": lambda folder, wav: wav[:44],
    "zero-length.wav": lambda folder, wav: wav_header(RATE, 0),
    "picture.mp3": lambda folder, wav: b"\x89PNG\r\n\x1a\n" + wav[:3000],
    "random.bin": lambda folder, wav: np.random.default_rng(1).bytes(200_000),
    "zeros.bin": lambda folder, wav: bytes(100_000),
    "playlist.m3u8": lambda folder, wav: f"#EXTM3U\n#EXTINF:10,\nfile://{folder}/good.wav\n#EXT-X-ENDLIST\n".encode(),
    "playlist.wav": lambda folder, wav: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "concat.txt": lambda folder, wav: f"ffconcat version 1.0\nfile {folder}/good.wav\n".encode(),
    "dash.mpd": lambda folder, wav: b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
    "rate-0.wav": lambda folder, wav: wav_header(0, 32_000) + bytes(32_000),
    "rate-1.wav": lambda folder, wav: wav_header(1, 32_000) + bytes(32_000),
    "rate-huge.wav": lambda folder, wav: wav_header(4_000_000_000, 32_000) + bytes(32_000),
    "endless-tag.mp3": lambda folder, wav: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_audio_is_refused_quickly_with_a_reason(name: str, spoken: Samples, tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", spoken)
    path = tmp_path / name
    path.write_bytes(BROKEN[name](tmp_path, good.read_bytes()))
    started = time.monotonic()
    with pytest.raises(InvalidAudio, match=r"^The (file|audio) .*\.$"):
        decoded(path)
    assert time.monotonic() - started < 20  # a hang would take minutes; a machine under load takes seconds


def test_a_zip_a_film_and_a_truncated_m4a_are_refused(spoken: Samples, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.wav", bytes(1000))
    with pytest.raises(InvalidAudio, match="not audio"):
        decoded(archive)
    with pytest.raises(InvalidAudio, match="no audio stream"):
        decoded(write_silent_film(tmp_path / "film.mp4"))
    headless = write_media(tmp_path / "a.m4a", spoken, "aac")
    os.truncate(headless, headless.stat().st_size // 2)
    with pytest.raises(InvalidAudio, match="damaged"):
        decoded(headless)
    with pytest.raises(InvalidAudio, match="not audio"):
        duration_hint(archive)


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


def test_the_decoder_sees_no_secrets_and_leaves_nothing_behind(
    spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHISPER_API_KEY", "hidden")
    with decode(write_wav(tmp_path / "a.wav", np.tile(spoken, 20))) as decoding:
        next(decoding)
        child = decoding.pid
        environment = Path(f"/proc/{child}/environ").read_bytes()
        limits = Path(f"/proc/{child}/limits").read_text()
    assert b"hidden" not in environment
    assert "Max file size             0" in limits
    assert not Path(f"/proc/{child}").exists()


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        decode(tmp_path / "missing.wav")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}/a.wav'\n",
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}/</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
        "[playlist]\nFile1={url}/a.mp3\n",
    ],
)
@pytest.mark.parametrize("name", ["list.wav", "list.m3u8", "list.mpd"])
def test_what_a_file_refers_to_is_never_asked_for(text: str, name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        path = tmp_path / name
        path.write_text(text.format(url=f"http://127.0.0.1:{port}", port=port))
        with pytest.raises(InvalidAudio):
            decoded(path)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
