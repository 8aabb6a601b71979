"""The hostile corpus: a reason or a prefix for each file, nothing reached, little time, and the next file is fine."""

import ctypes
import os
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from assets import speech
from unit.transcriber_core import hostile
from unit.transcriber_core.hostile import Bait, Decoded, Refused
from unit.transcriber_core.media import RATE, samples_of, write_wav
from whisper_transcriber.audio import Limits, decode
from whisper_transcriber.domain.audio import InvalidAudio

LIMITS = Limits(max_seconds=hostile.LONGEST, wait_seconds=120)
IN_ACCESS, IN_OPEN = 0x01, 0x20


class Watch:
    """Whether anybody has opened or read a file since it was asked last: inotify."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert self._descriptor >= 0
        assert libc.inotify_add_watch(self._descriptor, bytes(path), IN_OPEN | IN_ACCESS) >= 0

    def touched(self) -> bool:
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True)
class Trap:
    """The bait, and how to see whether it was taken."""

    bait: Bait
    listener: socket.socket
    datagrams: socket.socket
    watch: Watch

    def called(self) -> bool:
        """Whether somebody has connected, or sent a datagram."""
        for take in (lambda: self.listener.accept()[0].close(), lambda: self.datagrams.recv(1)):
            try:
                take()
            except BlockingIOError:
                continue
            return True
        return False


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    spoken = samples_of(speech.prompt("demo-congrats").path)[: RATE * 8]
    decoy = write_wav(tmp_path_factory.mktemp("decoy") / "decoy.wav", spoken)
    watch = Watch(decoy)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(listener.getsockname())
        listener.setblocking(False)
        datagrams.setblocking(False)
        yield Trap(Bait(listener.getsockname()[1], decoy, spoken), listener, datagrams, watch)
    watch.close()


@contextmanager
def cheap(seconds: float) -> Iterator[None]:
    """At most so much processor time of the processes started here, whatever else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < seconds


def test_the_corpus_is_large() -> None:
    assert len(hostile.ALL) >= 100


@pytest.mark.parametrize("name", hostile.ALL)
def test_a_hostile_file_does_no_harm(name: str, trap: Trap, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, right = tmp_path / "file", hostile.ALL[name].right
    path.write_bytes(hostile.ALL[name].made(trap.bait))
    with cheap(2), decode(path, LIMITS) as decoding:
        if isinstance(right, Refused):
            with pytest.raises(InvalidAudio, match=r"^The (file|audio).*\.$") as caught:
                _drain(decoding)
            assert re.search(right.why, str(caught.value))
        else:
            _check(right, _drain(decoding), decoding.warning)
    assert not trap.called()
    assert not trap.watch.touched()
    assert caplog.records == [], "no filter, or one that had to kill"
    good = write_wav(tmp_path / "good.wav", trap.bait.spoken)
    with decode(good) as decoding:
        assert _drain(decoding) == pytest.approx(8)


def _check(right: Decoded, seconds: float, warning: str | None) -> None:
    assert right.least <= seconds <= right.most
    if right.warning is None:
        assert warning is None
    else:
        assert re.search(right.warning, warning or "")


def _drain(decoding: Iterator[np.ndarray]) -> float:
    """The seconds that are decoded, every sample of them a number in [-1, 1]."""
    samples = 0
    for block in decoding:
        assert np.abs(block).max() <= 1
        samples += len(block)
    return samples / RATE


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("concat to a file", {"safe": "0"}),
        ("MOV with its samples behind an alias", {"enable_drefs": "1", "use_absolute_path": "1"}),
        ("m3u8 to a file", {"allowed_extensions": "ALL", "extension_picky": "0"}),
    ],
)
def test_ffmpeg_by_itself_would_open_the_file(name: str, options: dict[str, str], trap: Trap, tmp_path: Path) -> None:
    """The bait works: what the sandbox never touches, FFmpeg without it does."""
    path = tmp_path / "file.m3u8"
    path.write_bytes(hostile.ALL[name].made(trap.bait))
    with av.open(str(path), container_options=options) as container:
        next(container.decode(audio=0))
    assert trap.watch.touched()


@pytest.mark.parametrize("name", ["m3u8 to HTTP", "concat to HTTP"])
def test_ffmpeg_by_itself_would_call(name: str, trap: Trap, tmp_path: Path) -> None:
    path = tmp_path / "file.m3u8"
    path.write_bytes(hostile.ALL[name].made(trap.bait))
    options = {"protocol_whitelist": "file,http,tcp", "safe": "0"}
    with pytest.raises(av.error.FFmpegError):  # the listener says nothing
        av.open(str(path), container_options=options, timeout=1)
    assert trap.called()
    while trap.called():
        pass
