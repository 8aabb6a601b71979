"""From a stream's packets to bytes of float32 at 16 kHz: mixed down to mono, or the channels kept apart."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

import av

RATE: Final = 16_000
BYTES_A_SECOND: Final = RATE * 4
RATES: Final = (2_000, 768_000)  # Hz; a rate outside is forged, and would turn a few bytes into hours of samples
MAX_CHANNELS: Final = 8  # that can be kept apart
BLOCK: Final = BYTES_A_SECOND  # written at once: a system call for every frame costs more than the frame


class Refused(Exception):
    """The input cannot be used; `kind` is `invalid` or `too_long`."""

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.kind = kind


def frames(container: Any, stream: Any, damaged: list[str]) -> Iterator[Any]:
    """The stream's frames; packets that cannot be decoded are noted in `damaged` and left out."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, ValueError, OSError) as error:
            damaged.append(plain(error))
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            damaged.append(plain(error))


def resampled(source: Iterable[Any], channels: int | None) -> Iterator[memoryview]:
    """Frames of any rate and layout as float32 at 16 kHz: mixed down, or so many channels, a sample of each in turn.

    A change in mid-stream is followed: channels that are not there are silent, those beyond are left out.
    """
    resampler, before = None, None
    for frame in source:
        check_rate(frame.sample_rate)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != before:
            if resampler is not None:
                yield from _through(resampler, None, channels)
            mixed = {"format": "flt", "layout": "mono"} if channels is None else {"format": "fltp"}
            resampler, before = av.AudioResampler(rate=RATE, **mixed), kind
        frame.pts = None  # gaps and jumps in the clock must not become silence or an error
        yield from _through(resampler, frame, channels)
    if resampler is not None:
        yield from _through(resampler, None, channels)


def _through(resampler: Any, frame: Any, channels: int | None) -> Iterator[memoryview]:
    try:
        made = resampler.resample(frame)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise Refused(f"The audio cannot be brought to 16 kHz ({plain(error)}).") from None
    for out in made:
        if channels is None:
            yield memoryview(out.planes[0])[: out.samples * 4]
        else:
            yield _in_turn([memoryview(plane)[: out.samples * 4] for plane in out.planes[:channels]], channels)


def _in_turn(planes: list[memoryview], channels: int) -> memoryview:
    """The first sample of each channel, then the second of each, and so on."""
    joined = memoryview(bytearray(len(planes[0]) * channels)).cast("f")
    for number, plane in enumerate(planes):
        joined[number::channels] = plane.cast("B").cast("f")
    return joined.cast("B")


def write(pieces: Iterable[memoryview], max_seconds: float, channels: int = 1) -> float:
    """Write the pieces to descriptor 1, block by block; returns their seconds. Raises Refused past `max_seconds`."""
    written, block = 0, bytearray()
    for piece in pieces:
        written += len(piece)
        if written > max_seconds * BYTES_A_SECOND * channels:
            _put(block)
            raise Refused(f"The audio is longer than the {max_seconds:g} seconds that are accepted.", "too_long")
        block += piece
        if len(block) >= BLOCK:
            _put(block)
            block = bytearray()
    _put(block)
    return written / (BYTES_A_SECOND * channels)


def _put(block: bytearray) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(1, rest) :]


def check_rate(rate: int) -> None:
    """Raises Refused where no recording has such a sample rate (Hz)."""
    if not RATES[0] <= rate <= RATES[1]:
        raise Refused(f"The audio claims a sample rate of {rate} Hz, which no recording has.")


def plain(error: BaseException) -> str:
    """FFmpeg's own words, without the number and the name of the callback it was given."""
    return str(getattr(error, "strerror", None) or error)[:120]
