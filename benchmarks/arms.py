"""The engines side by side: each arm takes recordings that arrive at once, and gives their texts in order."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assets.cache import cache_root
from benchmarks.material import Samples
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Pipeline, Pump, Ticket
from whisper_transcriber.batching.stream import hear
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.model import ModelSpec, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.models import resolve

LANGUAGE = "en"
Run = Callable[[Sequence[Samples]], list[str]]


@dataclass(frozen=True)
class Setting:
    """The same for all arms."""

    folder: Path  # of the CTranslate2 model
    threads: int  # processors in all
    beam: int
    compute_type: Literal["int8", "float32"] = "int8"


def sequential(setting: Setting) -> Run:
    """faster-whisper with all threads on one recording after another."""
    model = _faster_whisper(setting, cpu_threads=setting.threads)
    return lambda recordings: [_text(model.transcribe(samples, **_options(setting))) for samples in recordings]


def batched(setting: Setting, size: int) -> Run:
    """faster-whisper's batched pipeline with all threads, one recording after another: it batches within one only."""
    from faster_whisper import BatchedInferencePipeline

    pipeline = BatchedInferencePipeline(_faster_whisper(setting, cpu_threads=setting.threads))
    options = _options(setting) | {"batch_size": size}
    return lambda recordings: [_text(pipeline.transcribe(samples, **options)) for samples in recordings]


def workers(setting: Setting) -> Run:
    """faster-whisper with a worker of one thread for each processor, fed from one queue."""
    model = _faster_whisper(setting, cpu_threads=1, num_workers=setting.threads)
    pool = ThreadPoolExecutor(setting.threads)
    one = lambda samples: _text(model.transcribe(samples, **_options(setting)))  # noqa: E731
    return lambda recordings: list(pool.map(one, recordings))


def ours(setting: Setting, encoder_input: Literal["auto", "full", "short"] = "auto", size: int = 4) -> Run:
    """This project: each recording cut into windows by a request of its own, all requests at once on one pump.

    `size` is the most windows in one lane's batch.
    """
    source = Source(path=str(setting.folder))
    spec = ModelSpec(
        name=setting.folder.name, source=source, compute_type=setting.compute_type, encoder_input=encoder_input
    )
    files = resolve(spec, preloaded=cache_root(), cache=cache_root())
    pipeline = Pipeline(engine.load(files, spec, setting.threads), batch_size=size, beam_size=setting.beam)
    return lambda recordings: asyncio.run(_all_at_once(pipeline, size, recordings))


def openai_whisper(setting: Setting, checkpoint: Path) -> Run:
    """openai-whisper on torch (fp32), where it is installed; `checkpoint` is its form of the same weights."""
    import torch
    import whisper

    torch.set_num_threads(setting.threads)
    model = whisper.load_model(str(checkpoint), device="cpu")
    options = {"language": LANGUAGE, "beam_size": setting.beam, "condition_on_previous_text": False, "fp16": False}
    return lambda recordings: [str(model.transcribe(samples, **options)["text"]) for samples in recordings]


async def _all_at_once(pipeline: Pipeline, size: int, recordings: Sequence[Samples]) -> list[str]:
    pump = Pump(pipeline, size=size)
    try:
        return list(await asyncio.gather(*(_request(pump, *each) for each in enumerate(recordings))))
    finally:
        await pump.close()


async def _request(pump: Pump, number: int, samples: Samples) -> str:
    ticket = Ticket(number, remaining=len(samples) / SAMPLE_RATE)
    options = Options(language=LANGUAGE)
    results = await hear(pump, audio.windows([samples], rules=pump.rules(options)), options, ticket)
    return "".join(segment.text for result in results for segment in result.segments)


def _faster_whisper(setting: Setting, **threads: int) -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(str(setting.folder), device="cpu", compute_type=setting.compute_type, **threads)


def _options(setting: Setting) -> dict[str, Any]:
    return {"language": LANGUAGE, "beam_size": setting.beam, "condition_on_previous_text": False}


def _text(transcribed: Any) -> str:
    segments, _ = transcribed
    return "".join(segment.text for segment in segments)
