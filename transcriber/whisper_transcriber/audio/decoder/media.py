"""Media with sound: which formats are opened, what is refused and with which words, what is said of a part."""

from __future__ import annotations

import io
import os
import wave
from typing import Any, Final

import av
from samples import BYTES_A_SECOND, MAX_CHANNELS, Refused, check_rate, frames, resampled, write

__all__ = ["FORMATS", "OPTIONS", "Refused", "decode", "probe", "rehearse"]

# Demuxers of real audio and video files. Not in it: playlists (hls, dash, concat), images, subtitles, devices, raw PCM.
FORMATS: Final = (
    "wav,w64,mp3,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,aac,adts,ac3,eac3,amr,amrnb,amrwb,aiff,au,caf,asf,avi,"
    "flv,mpeg,mpegts,mpegvideo,wv,ape,tta,tak,dts,dtshd,truehd,mlp,gsm,opus,oma,voc,sox,rm,mxf,nut,dsf,shn,mpc,mpc8,ircam"
)
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
        return {"seconds": claimed(container, stream), "channels": stream.codec_context.channels}


def decode(source: Any, max_seconds: float, channel: int | None) -> dict[str, Any]:
    """Write a file's samples out as they are decoded, of all channels or of one, and return the report."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    cut = truncated_riff(source.read(12), size)
    container, stream = opened(source)
    with container:
        if channel is not None:
            check_channel(channel, stream.codec_context.channels)
        promised = claimed(container, stream)
        damaged: list[str] = []
        written = write(resampled(frames(container, stream, damaged), channel), max_seconds)
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


def opened(source: Any) -> tuple[Any, Any]:
    """The container in a file and its first audio stream. Raises Refused."""
    if source.seek(0, os.SEEK_END) == 0:
        raise Refused("The file is empty.")
    source.seek(0)
    try:
        container = av.open(source, mode="r", container_options=OPTIONS, metadata_errors="replace")
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
    if context.sample_rate:
        check_rate(context.sample_rate)
    context.thread_count = 1
    return container, stream


def check_channel(channel: int, channels: int) -> None:
    """Raises Refused where the audio has no such channel, or too many to be told apart."""
    if channels > MAX_CHANNELS:
        raise Refused(f"The audio has {channels} channels; at most {MAX_CHANNELS} can be told apart.")
    if channel >= channels:
        raise Refused(f"The audio has {channels} channels, and no channel {channel + 1}.")


def claimed(container: Any, stream: Any) -> float | None:
    """The duration in the file's headers in seconds, if there is one."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def truncated_riff(head: bytes, size: int) -> bool:
    """Whether a WAV is shorter than its first 12 bytes say. FFmpeg trusts the file's length, and says nothing."""
    said = int.from_bytes(head[4:8], "little")
    streamed = said >= 0x7FFF_F000  # what recorders write that do not know the length yet
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and said + 8 > size + 1
