"""Human speech in the forms that tests send, and the measure of what came back."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import av
import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from assets import speech

_normalise = EnglishTextNormalizer()


def word_error_rate(said: str, heard: str) -> float:
    """Word error rate (0 is perfect) after OpenAI's English text normalisation."""
    return float(jiwer.wer(_normalise(said), _normalise(heard)))


def compressed(clip: speech.Clip, folder: Path) -> bytes:
    """The clip as Ogg Opus at 16 kbit/s, so that minutes of it fit into a ConfigMap."""
    target = folder / f"{clip.path.stem}.ogg"
    with av.open(str(clip.path)) as source, av.open(str(target), "w", format="ogg") as sink:
        stream = sink.add_stream("libopus", rate=48_000, layout="mono", bit_rate=16_000)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        for frame in source.decode(audio=0):
            for resampled in resampler.resample(frame):
                sink.mux(stream.encode(resampled))
        sink.mux(stream.encode(None))
    return target.read_bytes()


def config_map(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    """A ConfigMap with binary data."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "binaryData": {key: base64.b64encode(body).decode() for key, body in files.items()},
    }
