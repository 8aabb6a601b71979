"""The engines side by side: each arm takes recordings that arrive at once, and gives their texts in order."""

import asyncio
import atexit
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from assets.cache import cache_root
from benchmarks.material import Recording
from testbed import torchenv
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Pipeline, Pump, Ticket
from whisper_transcriber.batching.stream import hear
from whisper_transcriber.domain.model import ModelSpec, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import stitch
from whisper_transcriber.models import resolve

Run = Callable[[Sequence[Recording]], list[str]]
Compute = Literal["int8", "float32"]
Input = Literal["auto", "full", "short"]
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Setting:
    """The same for all arms."""

    folder: Path  # of the CTranslate2 model
    threads: int  # processors in all
    beam: int
    compute_type: Compute = "int8"


def sequential(setting: Setting) -> Run:
    """faster-whisper with all threads on one recording after another."""
    model = _faster_whisper(setting, cpu_threads=setting.threads)
    return lambda recordings: [_text(model.transcribe(each.samples, **_options(setting, each))) for each in recordings]


def batched(setting: Setting, size: int) -> Run:
    """faster-whisper's batched pipeline with all threads, one recording after another: it batches within one only."""
    from faster_whisper import BatchedInferencePipeline

    pipeline = BatchedInferencePipeline(_faster_whisper(setting, cpu_threads=setting.threads))

    def run(recordings: Sequence[Recording]) -> list[str]:
        options = [_options(setting, each) | {"batch_size": size} for each in recordings]
        return [_text(pipeline.transcribe(each.samples, **own)) for each, own in zip(recordings, options, strict=True)]

    return run


def workers(setting: Setting) -> Run:
    """faster-whisper with a worker of one thread for each processor, fed from one queue."""
    model = _faster_whisper(setting, cpu_threads=1, num_workers=setting.threads)
    pool = ThreadPoolExecutor(setting.threads)
    one = lambda each: _text(model.transcribe(each.samples, **_options(setting, each)))  # noqa: E731
    return lambda recordings: list(pool.map(one, recordings))


def ours(setting: Setting, encoder_input: Input = "auto", size: int = 4, compute_type: Compute | None = None) -> Run:
    """This project: each recording cut into windows by a request of its own, all requests at once on one pump.

    `size` is the most windows in one lane's batch.
    """
    pipeline = our_pipeline(replace(setting, compute_type=compute_type or setting.compute_type), encoder_input, size)
    return lambda recordings: asyncio.run(_all_at_once(pipeline, size, recordings))


def our_pipeline(setting: Setting, encoder_input: Input = "auto", size: int = 4) -> Pipeline:
    """This project's engine with its weights loaded."""
    source = Source(path=str(setting.folder))
    spec = ModelSpec(
        name=setting.folder.name, source=source, compute_type=setting.compute_type, encoder_input=encoder_input
    )
    files = resolve(spec, preloaded=cache_root(), cache=cache_root())
    return Pipeline(engine.load(files, spec, setting.threads), batch_size=size, beam_size=setting.beam)


def openai_whisper(setting: Setting) -> Run:
    """openai-whisper on torch in float32, in a process of the Python that has them, with the same weights."""
    command = [str(torchenv.python()), "-m", "benchmarks.reference"]
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "transcriber")])
    process = subprocess.Popen(
        [*command, str(setting.folder), str(setting.threads), str(setting.beam)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Its matrices are multiplied by OpenBLAS, which has threads of its own.
        env={**os.environ, **torchenv.environment(), "OPENBLAS_NUM_THREADS": str(setting.threads), "PYTHONPATH": path},
    )
    atexit.register(process.communicate)
    assert process.stdin is not None
    assert process.stdout is not None
    to, answers = process.stdin, process.stdout
    if answers.readline() != b"ready\n":
        raise RuntimeError("openai-whisper did not start: see above")

    def one(recording: Recording) -> str:
        samples = recording.samples.tobytes()
        to.write(json.dumps({"language": recording.hint, "bytes": len(samples)}).encode() + b"\n" + samples)
        to.flush()
        return str(json.loads(answers.readline())["text"])

    return lambda recordings: [one(each) for each in recordings]


async def _all_at_once(pipeline: Pipeline, size: int, recordings: Sequence[Recording]) -> list[str]:
    pump = Pump(pipeline, size=size)
    try:
        return list(await asyncio.gather(*(request(pump, *each) for each in enumerate(recordings))))
    finally:
        await pump.close()


async def request(pump: Pump, number: int, recording: Recording) -> str:
    """The text of a recording that comes as request `number`."""
    ticket = Ticket(number, remaining=recording.seconds)
    options = Options(language=recording.hint)
    results = await hear(pump, audio.windows([recording.samples], rules=pump.rules(options)), options, ticket)
    by = pump.engine
    return stitch(results, duration=recording.seconds, model=by.model, model_digest=by.digest, engine=by.name).text


def _faster_whisper(setting: Setting, **threads: int) -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(str(setting.folder), device="cpu", compute_type=setting.compute_type, **threads)


def _options(setting: Setting, recording: Recording) -> dict[str, Any]:
    return {"language": recording.hint, "beam_size": setting.beam, "condition_on_previous_text": False}


def _text(transcribed: Any) -> str:
    segments, _ = transcribed
    return "".join(segment.text for segment in segments)
