"""The child process that reads media: any whitelisted format on descriptor 0, float32 mono 16 kHz on descriptor 1.

It is run by path, as a program of its own, and imports nothing of this package: what parses hostile bytes has no
secrets in its environment, no descriptor but the file and two pipes, and limits on memory, processor time and file
size. FFmpeg gets the file through callbacks on that descriptor, so no protocol is ever used: playlists, ``concat``
scripts and external references have nothing to open anything with, and are not whitelisted formats either.

Descriptor 2 carries one JSON object at the end: ``{"seconds"}``, with ``"warning"`` where only a part could be decoded,
or ``{"error", "kind"}`` with kind ``invalid`` or ``too_long``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from collections.abc import Iterator
from typing import Any, Final

RATE: Final = 16_000
BYTES_A_SECOND: Final = RATE * 4
RATES: Final = (2_000, 768_000)  # Hz; a rate outside is forged, and would turn a few bytes into hours of samples
MEMORY: Final = 2 << 30  # bytes of address space
CHUNK: Final = 256 * 1024

# Demuxers of real audio and video files. Not in it: playlists (hls, dash, concat), images, subtitles, devices, raw PCM.
FORMATS: Final = (
    "wav,w64,mp3,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,aac,adts,ac3,eac3,amr,amrnb,amrwb,aiff,au,caf,asf,avi,"
    "flv,mpeg,mpegts,mpegvideo,wv,ape,tta,tak,dts,dtshd,truehd,mlp,gsm,opus,oma,voc,sox,rm,mxf,nut,dsf,shn,mpc,mpc8,ircam"
)


class Refused(Exception):
    """The input cannot be used; `kind` is `invalid` or `too_long`."""

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.kind = kind


def main() -> int:
    """Decode (or, with ``--probe``, only look at) descriptor 0. Exit code 0 or 3; anything else is a crash."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-seconds", type=float, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    parser.add_argument("--probe", action="store_true")
    arguments = parser.parse_args()
    confine(arguments.cpu_seconds)
    try:
        report = probe() if arguments.probe else decode(arguments.max_seconds)
    except Refused as error:
        return say({"error": str(error), "kind": error.kind}, 3)
    except MemoryError:
        return say({"error": "The file needs more memory to decode than is allowed.", "kind": "invalid"}, 3)
    except BrokenPipeError:  # the reader has what it wanted
        return 0
    return say(report, 0)


def say(report: dict[str, Any], code: int) -> int:
    os.write(2, json.dumps(report).encode() + b"\n")
    return code


def confine(cpu_seconds: int) -> None:
    """Take away what decoding does not need. Descriptors other than 0, 1 and 2 were never passed on."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # The hard limit of processor time kills without a name; the soft one comes first and says what it was.
        resource.setrlimit(limit, (value, value + 5 if limit == resource.RLIMIT_CPU and value + 5 <= hard else value))


def probe() -> dict[str, Any]:
    """How long the file says it is: ``{"seconds": float | None}``. A header can be wrong."""
    container, stream = opened()
    with container:
        return {"seconds": claimed(container, stream)}


def decode(max_seconds: float) -> dict[str, Any]:
    """Write the samples out as they are decoded and return the report."""
    container, stream = opened()
    with container:
        promised, cut = claimed(container, stream), truncated_riff()
        damaged: list[str] = []
        written = 0
        for chunk in mono(frames(container, stream, damaged)):
            written += len(chunk)
            if written > max_seconds * BYTES_A_SECOND:
                raise Refused(f"The audio is longer than the {max_seconds:g} seconds that are accepted.", "too_long")
            put(chunk)
    seconds = written / BYTES_A_SECOND
    if written == 0:
        why = f" ({damaged[0]})" if damaged else ""
        raise Refused(f"The file has an audio stream, but not one sample of it can be decoded{why}.")
    return {"seconds": seconds, "warning": shortfall(seconds, promised, damaged, cut)}


def shortfall(seconds: float, promised: float | None, damaged: list[str], cut: bool) -> str | None:
    """What to tell the user when only a part of the file could be decoded."""
    if promised is not None and seconds < promised * 0.98 - 0.5:
        return f"The file ends early: it promises {promised:.1f} s of audio and {seconds:.1f} s could be decoded."
    if cut:
        return f"The file ends early: it is shorter than its header says; {seconds:.1f} s of audio could be decoded."
    if damaged:
        return f"The file is damaged: {len(damaged)} packets could not be decoded; {seconds:.1f} s of audio could be."
    return None


def opened() -> tuple[Any, Any]:
    """The container on descriptor 0 and its first audio stream. Raises Refused."""
    import av  # after the limits are in place

    if os.fstat(0).st_size == 0:
        raise Refused("The file is empty.")
    source = os.fdopen(0, "rb", buffering=0)
    options = {"protocol_whitelist": "", "format_whitelist": FORMATS, "enable_drefs": "0", "use_absolute_path": "0"}
    try:
        container = av.open(source, mode="r", container_options=options, metadata_errors="replace")
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OverflowError):
        raise Refused("The file is not audio in a format that is understood, or it is damaged.") from None
    if not container.streams.audio:
        kinds = sorted({stream.type for stream in container.streams})
        raise Refused(
            f"The file has no audio stream (only {', '.join(kinds)})." if kinds else "The file has no streams."
        )
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None:
        raise Refused("The file's audio is in a codec that is not understood.")
    rate = context.sample_rate
    if rate and not RATES[0] <= rate <= RATES[1]:
        raise Refused(f"The file claims a sample rate of {rate} Hz, which no recording has.")
    context.thread_count = 1
    return container, stream


def claimed(container: Any, stream: Any) -> float | None:
    """The duration in the file's headers in seconds, if there is one."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def truncated_riff() -> bool:
    """Whether a WAV is shorter than it says. FFmpeg trusts the file's length instead, and says nothing."""
    head = os.pread(0, 12, 0)
    size = int.from_bytes(head[4:8], "little")
    streamed = size >= 0x7FFF_F000  # what recorders write that do not know the length yet
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and size + 8 > os.fstat(0).st_size + 1


def frames(container: Any, stream: Any, damaged: list[str]) -> Iterator[Any]:
    """The stream's frames; packets that cannot be decoded are noted in `damaged` and left out."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, ValueError) as error:
            damaged.append(plain(error))
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError) as error:
            damaged.append(plain(error))


def mono(source: Iterator[Any]) -> Iterator[memoryview]:
    """Frames of any rate and layout as bytes of float32 mono at 16 kHz. A change in mid-stream is followed."""
    import av

    resampler, before = None, None
    for frame in source:
        if not RATES[0] <= frame.sample_rate <= RATES[1]:
            raise Refused(f"The audio has a sample rate of {frame.sample_rate} Hz, which no recording has.")
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != before:
            if resampler is not None:
                yield from flushed(resampler)
            resampler, before = av.AudioResampler(format="flt", layout="mono", rate=RATE), kind
        frame.pts = None  # gaps and jumps in the clock must not become silence or an error
        assert resampler is not None
        for out in resampler.resample(frame):
            yield memoryview(out.planes[0])[: out.samples * 4]
    if resampler is not None:
        yield from flushed(resampler)


def flushed(resampler: Any) -> Iterator[memoryview]:
    for out in resampler.resample(None):
        yield memoryview(out.planes[0])[: out.samples * 4]


def put(chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[os.write(1, chunk[:CHUNK]) :]


def plain(error: BaseException) -> str:
    """FFmpeg's own words, without the number and the name of the callback it was given."""
    return str(getattr(error, "strerror", None) or error)[:120]


if __name__ == "__main__":
    # Not sys.exit: nothing may run after the report, and libraries that parsed hostile bytes need no farewell.
    os._exit(main())
