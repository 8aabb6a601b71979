"""Media with sound: which formats are opened, what is refused and with which words, what is said of a part."""

from __future__ import annotations

import io
import os
import wave
from typing import Any, Final

import av
from samples import MAX_CHANNELS, Refused, check_rate, frames, resampled, write

__all__ = ["FORMATS", "OPTIONS", "Refused", "decode", "probe", "rehearse"]

# Demuxers of real audio and video files. Not in it: playlists (hls, dash, concat), images, subtitles, devices, raw PCM.
FORMATS: Final = (
    "wav,w64,mp3,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,aac,adts,ac3,eac3,amr,amrnb,amrwb,aiff,au,caf,asf,avi,"
    "flv,mpeg,mpegts,mpegvideo,wv,ape,tta,tak,dts,dtshd,truehd,mlp,gsm,opus,oma,voc,sox,rm,mxf,nut,dsf,shn,mpc,mpc8,ircam,"
    "loas,iff,qcp,dss,nistsphere"
)
OGG_PAGE: Final = 27 + 255 + 255 * 255  # bytes at most
LONGEST: Final = 7 * 24 * 3600.0  # seconds; a header that promises more is not believed
OPTIONS: Final = {"protocol_whitelist": "", "format_whitelist": FORMATS, "enable_drefs": "0", "use_absolute_path": "0"}


def rehearse() -> None:
    """Decode a recording of our own: what is loaded on first use is loaded before files are out of reach."""
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(320))
    container, stream = opened(recording)
    with container:
        list(resampled(frames(container, stream, []), None))


def probe(source: Any) -> dict[str, Any]:
    """What a file's headers say: ``{"seconds": float | None, "channels": int}``. A header can be wrong."""
    container, stream = opened(source)
    with container:
        seconds = claimed(container, stream)
        believed = None if seconds is None or seconds > LONGEST else seconds
        return {"seconds": believed, "channels": stream.codec_context.channels}


def decode(source: Any, max_seconds: float, channels: int | None) -> dict[str, Any]:
    """Write a file's samples out as they are decoded, mixed down or so many channels of them, and return the report."""
    cut = breaks_off(source)
    container, stream = opened(source)
    with container:
        if channels is not None:
            check_channels(max(channels, stream.codec_context.channels))
        promised = claimed(container, stream)
        damaged: list[str] = []
        seconds = write(resampled(frames(container, stream, damaged), channels), max_seconds, channels or 1)
    if seconds == 0:
        why = f" ({damaged[0]})" if damaged else ""
        raise Refused(f"The file has an audio stream, but not one sample of it can be decoded{why}.")
    return {"seconds": seconds, "warning": shortfall(seconds, promised, damaged, cut)}


def shortfall(seconds: float, promised: float | None, damaged: list[str], cut: bool) -> str | None:
    """What to tell the user when only a part of the file could be decoded."""
    if promised is not None and promised > LONGEST:
        return f"The file promises more than a week of audio, and {seconds:.1f} s could be decoded."
    if promised is not None and seconds < promised * 0.98 - 0.5:
        return f"The file ends early: it promises {promised:.1f} s of audio and {seconds:.1f} s could be decoded."
    if cut:
        return f"The file ends early: it is shorter than its header says; {seconds:.1f} s of audio could be decoded."
    if damaged:
        return f"The file is damaged: {len(damaged)} packets could not be decoded; {seconds:.1f} s of audio could be."
    return None


def opened(source: Any) -> tuple[Any, Any]:
    """The container in a file and its first audio stream. Raises Refused."""
    if source.seek(0, os.SEEK_END) == 0:
        raise Refused("The file is empty.")
    source.seek(0)
    try:
        container = av.open(source, mode="r", container_options=OPTIONS, metadata_errors="replace")
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OverflowError, OSError):  # OSError: it seeks where no file goes
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
    if context.sample_rate:
        check_rate(context.sample_rate)
    context.thread_count = 1
    return container, stream


def check_channels(channels: int) -> None:
    """Raises Refused where the audio has too many channels to be kept apart."""
    if channels > MAX_CHANNELS:
        raise Refused(f"The audio has {channels} channels; at most {MAX_CHANNELS} can be kept apart.")


def claimed(container: Any, stream: Any) -> float | None:
    """The duration in the file's headers in seconds, if there is one. It may be a lie, but not a negative one."""
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / 1_000_000
    return seconds if seconds > 0 else None


def breaks_off(source: Any) -> bool:
    """Whether a WAV or Ogg is cut. FFmpeg takes the length of these from what there is of them, and says nothing."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    head = source.read(12)
    source.seek(max(0, size - OGG_PAGE))
    tail = source.read(OGG_PAGE)
    return truncated_riff(head, size) or (head[:4] == b"OggS" and truncated_ogg(tail))


def truncated_riff(head: bytes, size: int) -> bool:
    """Whether a WAV is shorter than its first 12 bytes say."""
    said = int.from_bytes(head[4:8], "little")
    streamed = said >= 0x7FFF_F000  # what recorders write that do not know the length yet
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and said + 8 > size + 1


def truncated_ogg(tail: bytes) -> bool:
    """Whether the last page in an Ogg's last bytes is not whole: 27 bytes, a table of lengths, and what they sum up."""
    page = tail[tail.rfind(b"OggS") :]
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(page) < 27 + page[26] + sum(lengths)
