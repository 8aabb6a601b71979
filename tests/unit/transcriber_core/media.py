"""Media files for tests, written with PyAV, and real speech as samples."""

import io
import struct
import tempfile
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float32]


def samples_of(wav: Path) -> Samples:
    """A 16-bit mono WAV as float32."""
    with wave.open(str(wav), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)


def write_wav(path: Path, samples: Samples, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes((np.repeat(samples, channels) * 32767).astype("<i2").tobytes())
    return path


def write_media(path: Path, samples: Samples, codec: str, rate: int = RATE, options: str = "") -> Path:
    """Samples (mono, 16 kHz) encoded by `codec` in the container that the path's suffix names."""
    with av.open(str(path), "w", options=_pairs(options)) as container:
        _fill(container, codec, samples, rate, "mono")
    return path


def encoded(
    form: str, codec: str, samples: Samples, rate: int = RATE, layout: str = "mono", options: str = ""
) -> bytes:
    """Samples (16 kHz; mono, or a row for each channel of `layout`) encoded by `codec` in the container `form`."""
    with tempfile.TemporaryDirectory() as folder:  # some are written, then read and written again
        path = Path(folder, "made")
        with av.open(str(path), "w", format=form, options=_pairs(options)) as container:
            _fill(container, codec, samples, rate, layout)
        return path.read_bytes()


def _pairs(options: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in options.split()) if options else {}


def _fill(container: Any, codec: str, samples: Samples, rate: int, layout: str) -> None:
    stream = container.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
    if codec.startswith("wma"):
        stream.bit_rate = 128_000  # it has no default
    frame = av.AudioFrame.from_ndarray(
        (np.atleast_2d(samples).T * 32767).astype(np.int16).reshape(1, -1), format="s16", layout=layout
    )
    frame.sample_rate = RATE
    frame.time_base = Fraction(1, RATE)
    resampler = av.AudioResampler(
        format=stream.codec_context.format.name, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size
    )
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def write_silent_film(path: Path) -> Path:
    """A video without any audio."""
    path.write_bytes(silent_film())
    return path


def silent_film() -> bytes:
    """A video without any audio: MP4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def wav_header(rate: int, data_bytes: int, channels: int = 1, bits: int = 16) -> bytes:
    """A WAV header that may lie."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    riff = (36 + data_bytes) & 0xFFFFFFFF
    return (
        b"RIFF"
        + struct.pack("<I", riff)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", data_bytes)
    )
