"""From a stream's packets to bytes of float32 at 16 kHz: mixed down to mono, or one channel alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

import av

RATE: Final = 16_000
BYTES_A_SECOND: Final = RATE * 4
RATES: Final = (2_000, 768_000)  # Hz; a rate outside is forged, and would turn a few bytes into hours of samples
MAX_CHANNELS: Final = 8  # that can be had one by one
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


def resampled(source: Iterable[Any], channel: int | None) -> Iterator[memoryview]:
    """Frames of any rate and layout as float32 at 16 kHz: all channels mixed down, or only `channel` (from 0).

    A change in mid-stream is followed; while there are fewer channels, the one that is asked for is silent.
    """
    resampler, before = None, None
    for frame in source:
        check_rate(frame.sample_rate)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != before:
            if resampler is not None:
                yield from _through(resampler, None, channel)
            mixed = {"format": "flt", "layout": "mono"} if channel is None else {"format": "fltp"}
            resampler, before = av.AudioResampler(rate=RATE, **mixed), kind
        frame.pts = None  # gaps and jumps in the clock must not become silence or an error
        yield from _through(resampler, frame, channel)
    if resampler is not None:
        yield from _through(resampler, None, channel)


def _through(resampler: Any, frame: Any, channel: int | None) -> Iterator[memoryview]:
    try:
        made = resampler.resample(frame)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise Refused(f"The audio cannot be brought to 16 kHz ({plain(error)}).") from None
    for out in made:
        if channel is not None and channel >= out.layout.nb_channels:
            yield memoryview(bytes(out.samples * 4))
        else:
            yield memoryview(out.planes[channel or 0])[: out.samples * 4]


def write(pieces: Iterable[memoryview], max_seconds: float) -> int:
    """Write the pieces to descriptor 1, block by block; returns their bytes. Raises Refused past `max_seconds`."""
    written, block = 0, bytearray()
    for piece in pieces:
        written += len(piece)
        if written > max_seconds * BYTES_A_SECOND:
            _put(block)
            raise Refused(f"The audio is longer than the {max_seconds:g} seconds that are accepted.", "too_long")
        block += piece
        if len(block) >= BLOCK:
            _put(block)
            block = bytearray()
    _put(block)
    return written


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
