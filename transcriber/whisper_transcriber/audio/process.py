"""Decode a file in a child process and read its samples through a pipe: memory does not grow with the duration."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from whisper_transcriber.domain.audio import SAMPLE_RATE, AudioTooLong, InvalidAudio, Samples
from whisper_transcriber.logs import Log

log = Log(__name__)

_PROGRAM: Final = Path(__file__).with_name("decoder")
_SAMPLE: Final = 4  # bytes


@dataclass(frozen=True)
class Headers:
    """What a file says of itself: seconds of audio, None if it says nothing; and how many channels it has."""

    seconds: float | None
    channels: int


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    `max_seconds` of audio; `cpu_seconds` of the decoder's processor time; `wait_seconds` that a reader waits for the
    decoder in all (the time in which the decoder waits for the reader is free, so a slow model costs nothing here).
    `niceness` is how far its process gives way to others.
    """

    max_seconds: float = 12 * 3600.0
    cpu_seconds: int = 1800
    wait_seconds: float = 1800.0
    niceness: int = 0


class Decoding(Iterator[Samples]):
    """The blocks of one file, one second each but for the last: shape [samples], or [samples, channels].

    Raises InvalidAudio or AudioTooLong from `next`; what was yielded before is good. Close it, or use it in a `with`,
    when it is not read to its end. `seconds` is what has been yielded so far; `warning` is set at the end where only a
    part of the file could be decoded.
    """

    def __init__(self, path: Path, limits: Limits, channels: int | None = None) -> None:
        self.seconds = 0.0
        self.warning: str | None = None
        self._limits = limits
        self._waited = 0.0
        self._timed_out = False
        self._channels = channels
        self._child = _start(path, limits, *([] if channels is None else ["--channels", str(channels)]))
        self._ended = False

    def __next__(self) -> Samples:
        if self._ended:
            raise StopIteration
        each = _SAMPLE * (self._channels or 1)
        data = self._read(SAMPLE_RATE * each)
        if len(data) < SAMPLE_RATE * each:
            self._ended = True
            self._judge()
        if len(data) < each:
            raise StopIteration
        block: Samples = np.frombuffer(data[: len(data) // each * each], dtype="<f4")
        if self._channels is not None:
            block = block.reshape(-1, self._channels)
        self.seconds += len(block) / SAMPLE_RATE
        return np.clip(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)

    @property
    def pid(self) -> int:
        """The process that decodes."""
        return self._child.pid

    def __enter__(self) -> Decoding:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the decoder, if it still runs, and release what belongs to it."""
        self._ended = True
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, count: int) -> bytes:
        """`count` bytes of the pipe, fewer only at its end."""
        pipe = _pipe(self._child.stdout)
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while len(data) < count:
                before = time.monotonic()
                ready = selector.select(max(0.0, self._limits.wait_seconds - self._waited))
                self._waited += time.monotonic() - before
                if not ready:
                    self._timed_out = True
                    self._child.kill()
                    break
                piece = os.read(pipe.fileno(), count - len(data))
                if not piece:
                    break
                data += piece
        return bytes(data)

    def _judge(self) -> None:
        """Read the report after the last sample; raise what it says."""
        try:
            self.warning = _report(self._child, self._timed_out).get("warning")
        finally:
            self.close()


def decode(path: Path, limits: Limits | None = None, channels: int | None = None) -> Decoding:
    """Decode any media file as a stream of float32 blocks at 16 kHz.

    All channels are mixed down, or, with `channels`, so many are kept apart in the columns of each block. The file is
    opened here and only its descriptor is handed to the decoder. Raises OSError where it cannot be opened; iterating
    raises InvalidAudio or AudioTooLong. A file that breaks off gives what could be decoded, and a `warning`.
    """
    return Decoding(path, limits or Limits(), channels)


def headers(path: Path, limits: Limits | None = None) -> Headers:
    """What a file's headers claim. Raises InvalidAudio like `decode`."""
    found = _probe(path, limits)
    return Headers(None if found["seconds"] is None else float(found["seconds"]), int(found["channels"]))


def _probe(path: Path, limits: Limits | None) -> dict[str, Any]:
    limits = limits or Limits(cpu_seconds=30, wait_seconds=30.0)
    child = _start(path, limits, "--probe")
    timed_out = False
    try:
        child.wait(timeout=limits.wait_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        timed_out = True
    with child:
        return _report(child, timed_out)


def _start(path: Path, limits: Limits, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", str(_PROGRAM), "--max-seconds", str(limits.max_seconds)]
    with path.open("rb") as source:
        return subprocess.Popen(
            [*command, "--cpu-seconds", str(limits.cpu_seconds), "--niceness", str(limits.niceness), *more],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8"},  # none of the service's secrets
            start_new_session=True,  # a signal to the worker's group lets it finish its batch first
            bufsize=0,
        )


def _report(child: subprocess.Popen[bytes], timed_out: bool) -> dict[str, Any]:
    """What the child said of its work. Raises InvalidAudio or AudioTooLong where it refused, died or was too slow."""
    said = _pipe(child.stderr).read()
    code = child.wait()
    if timed_out or code == -signal.SIGXCPU:
        raise InvalidAudio("The file takes too long to decode; it is damaged or was made to.")
    if code == -signal.SIGSYS:
        log.error("Killed a decoder at a system call that no decoder makes", pid=child.pid)
        raise InvalidAudio("The file made the decoder attempt what it may not do; it was made to.")
    report: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith(b"{"):
            report = json.loads(line)
    if "unconfined" in report:
        _warn_unconfined(report["unconfined"])
    if report.get("kind") == "internal":
        raise RuntimeError(report["error"])
    if "error" in report:
        raise (AudioTooLong if report["kind"] == "too_long" else InvalidAudio)(report["error"])
    if code != 0 or not report:
        raise InvalidAudio(f"The file made the decoder fail (exit code {code}); it is damaged or was made to.")
    return report


@cache
def _warn_unconfined(reason: str) -> None:
    """Once a reason and process."""
    log.warning("Decoding without a seccomp filter; resource limits and the format whitelist hold", reason=reason)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the child was started with pipes"
    return pipe
