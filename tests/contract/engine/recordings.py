"""Engines with real weights, loaded once for all tests of a process, and what they make of samples."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assets import weights
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.cutting import rules_for
from whisper_transcriber.domain.model import ModelSpec, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Transcript, stitch
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.models import resolve

Samples = NDArray[np.float32]


@cache
def real(name: str) -> Engine:
    """`base` or `tiny.en`, int8, on two threads."""
    folder, digest = {
        "base": (weights.base, weights.BASE.model_sha256),
        "tiny.en": (weights.tiny_en, weights.TINY_EN.model_sha256),
    }[name]
    spec = ModelSpec(name=name, source=Source(path=str(folder())), digest=f"sha256:{digest}", compute_type="int8")
    return engine.load(resolve(spec, Path("/models"), Path("/nonexistent")), spec, 2)


def transcribed(by: Engine, recordings: list[Samples], options: Options | None = None) -> list[Transcript]:
    """Whole recordings, cut and transcribed as a worker does it, all in one batch."""
    pipeline, asked = Pipeline(by), options or Options()
    rules = rules_for(asked.vad)
    owned = [
        (number, Item(window, samples, asked))
        for number, recording in enumerate(recordings)
        for window, samples in audio.windows([recording], rules=rules)
    ]
    results = pipeline.run([item for _, item in owned])
    return [
        stitch(
            [result for (owner, _), result in zip(owned, results, strict=True) if owner == number],
            duration=len(recording) / 16_000,
            model=by.model,
            model_digest=by.digest,
            engine=by.name,
        )
        for number, recording in enumerate(recordings)
    ]
