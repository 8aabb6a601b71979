"""The real engines with real weights, and what they make of real speech.

openai-whisper runs in a Python of its own (torch_engine). Both engines have the same files, so the same digests.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from assets import speech, weights
from assets.speech import Clip
from contract.engine.torch_engine import TorchEngine
from unit.transcriber_core.noises import noise
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.model import EngineName, ModelSpec, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Transcript, WindowResult, stitch
from whisper_transcriber.engine.port import Engine, Prompt
from whisper_transcriber.models import resolve

ENGLISH = Prompt("en")
DIGESTS = {"base": weights.BASE.model_sha256, "tiny.en": weights.TINY_EN.model_sha256}
CTRANSLATE2: Final = "ctranslate2"
TORCH: Final = "openai-whisper"
REAL = [(CTRANSLATE2, "tiny.en"), (CTRANSLATE2, "base"), (TORCH, "tiny.en"), (TORCH, "base")]


@cache
def real(by: EngineName, name: str) -> Engine:
    folder = {"base": weights.base, "tiny.en": weights.tiny_en}[name]()
    spec = ModelSpec(name=name, source=Source(path=str(folder)), digest=f"sha256:{DIGESTS[name]}", engine=by)
    files = resolve(spec, Path("/models"), Path("/nonexistent"))
    return TorchEngine(files, spec, 2) if by == TORCH else engine.load(files, spec, 2)


def items(clip: Clip, options: Options | None = None) -> list[Item]:
    return [Item(window, samples, options or Options()) for window, samples in audio.windows(audio.decode(clip.path))]


def transcript(clip: Clip, results: list[WindowResult], by: Engine) -> Transcript:
    return stitch(results, duration=clip.seconds, model=by.model, model_digest=by.digest, engine=by.name)


def transcribed(by: Engine, clips: list[Clip], options: Options | None = None) -> Iterator[tuple[Clip, Transcript]]:
    """All windows of all clips through one pipeline call, as a worker batches them."""
    pipeline = Pipeline(by)
    owned = [(clip, item) for clip in clips for item in items(clip, options)]
    results = pipeline.run([item for _, item in owned])
    for clip in clips:
        own = [result for (owner, _), result in zip(owned, results, strict=True) if owner is clip]
        yield clip, transcript(clip, own, by)


def some(language: str, count: int) -> list[Clip]:
    """Sentences spread over all that there are."""
    clips = [clip for clip in speech.sentences(language) if clip.seconds < 12]
    return clips[:: max(1, len(clips) // count)][:count]


def noisy() -> Iterator[Samples]:
    """Sentences in so much noise that `tiny.en` gets into a loop at some; at which of them depends on the processor."""
    for clip in speech.sentences():
        if 4 < clip.seconds < 12:
            samples = np.concatenate(list(audio.decode(clip.path)))
            level = 10**0.4 * float(np.sqrt(np.mean(np.square(samples))))
            yield samples + noise("white", len(samples) / SAMPLE_RATE, level)[: len(samples)]


@cache
def english(by: EngineName, model: str) -> list[tuple[Clip, Transcript]]:
    """What an engine makes of 24 sentences; of every third on torch, which takes several times as long."""
    return list(transcribed(real(by, model), some("en", 24)[:: 3 if by == TORCH else 1]))
