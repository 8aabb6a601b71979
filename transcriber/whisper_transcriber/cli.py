"""Commands that need no service: transcribe a file, list the known models, fetch one."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from whisper_transcriber.audio.process import Decoding
    from whisper_transcriber.batching import Pipeline
    from whisper_transcriber.domain.model import EngineName, ModelFiles, ModelSpec
    from whisper_transcriber.domain.options import Options
    from whisper_transcriber.domain.transcript import Transcript, WindowResult

# Imports of the engine and the audio stack are inside the commands: the API's image has neither, and `--help` is fast.

_FORMATS: Final = ("text", "json", "verbose_json", "srt", "vtt")
ENGINES: Final[tuple[EngineName, ...]] = ("ctranslate2", "openai-whisper")
OK, UNUSABLE = 0, 2


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `transcribe` and `models`; each sets `func`, which takes the parsed arguments and returns an exit code.

    Exit codes: 0; 2 where the user must change something (bad audio, an unknown model or language), said on stderr.
    """
    transcribe = subparsers.add_parser("transcribe", help="transcribe one file here, without a service")
    transcribe.add_argument("file", type=Path, help="any audio or video file")
    transcribe.add_argument("--model", default="base", help="name of a model, or folder of one")
    transcribe.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="what runs the model")
    transcribe.add_argument("--language", help="language spoken, e.g. en or french; detected if absent")
    transcribe.add_argument(
        "--languages", nargs="+", default=(), metavar="LANGUAGE", help="the only languages that detection chooses among"
    )
    transcribe.add_argument("--task", choices=("transcribe", "translate"), default="transcribe")
    transcribe.add_argument("--prompt", help="text as it might have been said before: names, spellings, style")
    transcribe.add_argument("--keywords", nargs="+", default=(), metavar="WORD", help="words that are likely to occur")
    transcribe.add_argument(
        "--temperature", type=float, default=0.0, help="0: beam search, the same every time; above: samples at random"
    )
    transcribe.add_argument("--threshold", type=float, help="how likely (0 to 1) speech must be to begin")
    transcribe.add_argument("--silence-duration-ms", type=int, metavar="MS", help="a silence so long is left out")
    transcribe.add_argument("--prefix-padding-ms", type=int, metavar="MS", help="audio that is kept before speech")
    transcribe.add_argument(
        "--channels", choices=("mixed", "speakers"), default="mixed", help="speakers: a person on each channel"
    )
    transcribe.add_argument("--format", choices=_FORMATS, default="text")
    transcribe.add_argument("--word-timestamps", action="store_true", help="find the time of each word")
    transcribe.add_argument("--output", type=Path, help="file to write; standard output if absent")
    transcribe.add_argument("--threads", type=int, default=0, help="processors to use; 0 for all")
    transcribe.set_defaults(func=_transcribe)
    models = subparsers.add_parser("models", help="list or fetch models").add_subparsers(required=True)
    listing = models.add_parser("list", help="names that can be used without saying where they come from")
    listing.set_defaults(func=_list)
    pull = models.add_parser("pull", help="fetch a model into the cache")
    pull.add_argument("name", help="a name from `models list`, or a repository of the Hugging Face hub")
    pull.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="what shall run the model")
    pull.add_argument("--to", type=Path, help="also copy its files into this folder")
    pull.set_defaults(func=_pull)


def _transcribe(arguments: argparse.Namespace) -> int:
    from whisper_transcriber.domain.audio import InvalidAudio
    from whisper_transcriber.domain.model import ModelUnavailable
    from whisper_transcriber.domain.options import UnsupportedOption
    from whisper_transcriber.render import GRANULARITIES, render

    try:
        spec = model_spec(arguments.model, arguments.engine)
        pipeline, options = _pipeline(spec, arguments.threads, _options(arguments))
        transcript = _run(arguments.file, pipeline, options)
    except InvalidAudio as error:
        return _refuse(f"{arguments.file}: {error}")
    except (ModelUnavailable, UnsupportedOption) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{arguments.file}: {error.strerror}")
    body, _ = render(transcript, arguments.format, GRANULARITIES if arguments.word_timestamps else ("segment",))
    if arguments.output is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    else:
        arguments.output.write_bytes(body)
    return OK


def _options(arguments: argparse.Namespace) -> Options:
    from whisper_transcriber.domain.options import Options, Vad

    return Options(
        language=arguments.language,
        languages=tuple(arguments.languages),
        task=arguments.task,
        prompt=arguments.prompt,
        hotwords=tuple(arguments.keywords),
        temperature=arguments.temperature,
        vad=Vad(arguments.threshold, arguments.silence_duration_ms, arguments.prefix_padding_ms),
        channels=arguments.channels,
        word_timestamps=arguments.word_timestamps,
    )


def _pipeline(spec: ModelSpec, threads: int, options: Options) -> tuple[Pipeline, Options]:
    from whisper_transcriber import engine
    from whisper_transcriber.batching import Pipeline

    pipeline = Pipeline(engine.load(resolved(spec), spec, threads))
    return pipeline, pipeline.check(options)


def _run(file: Path, pipeline: Pipeline, options: Options) -> Transcript:
    import asyncio

    from whisper_transcriber.domain.transcript import stitch

    started = time.monotonic()
    results, decoding = asyncio.run(_heard(file, pipeline, options))
    engine = pipeline.engine
    if decoding.warning:
        _say(decoding.warning)
    took = time.monotonic() - started
    _say(f"{decoding.seconds:.1f} s of audio in {took:.1f} s with {engine.model} ({engine.digest}, {engine.name})")
    return stitch(
        results,
        duration=decoding.seconds,
        model=engine.model,
        model_digest=engine.digest,
        engine=engine.name,
        task=options.task,
        language=options.language,
    )


async def _heard(file: Path, pipeline: Pipeline, options: Options) -> tuple[list[WindowResult], Decoding]:
    """The windows of a file as a worker hears them, in order; the file is closed."""
    from whisper_transcriber import audio
    from whisper_transcriber.batching import Pump, Ticket
    from whisper_transcriber.batching.language import settled, unsettled
    from whisper_transcriber.batching.stream import hear

    pump, ticket, said = Pump(pipeline), Ticket(file), audio.headers(file)
    of = f" of {said.seconds:.0f} s" if said.seconds else ""
    channels, rules = said.channels if options.apart else None, pump.rules(options)

    def tell(done: WindowResult) -> None:
        _say(f"{done.window.end:.0f} s{of} transcribed")

    try:
        with audio.decode(file, channels=channels) as decoding:
            results = await hear(pump, audio.windows(decoding, rules=rules), options, ticket, tell)
        if unsure := unsettled(results):
            before = {result.window: result for result in results if result.window in unsure}
            with audio.decode(file, channels=channels) as once_more:
                cut = (pair for pair in audio.windows(once_more, rules=rules) if pair[0] in before)
                again = await hear(pump, cut, options, ticket, languages=unsure)
            after = {result.window: settled(before[result.window], result) for result in again}
            results = [after.get(result.window, result) for result in results]
    finally:
        await pump.close()
    return results, decoding


def _list(arguments: argparse.Namespace) -> int:
    from whisper_transcriber.models import CATALOGUE

    for name, known in CATALOGUE.items():
        sys.stdout.write(f"{name:18} {known.repo:46} {known.digest or ''}".rstrip() + "\n")
    return OK


def _pull(arguments: argparse.Namespace) -> int:
    from whisper_transcriber.domain.model import ModelUnavailable

    try:
        files = resolved(model_spec(arguments.name, arguments.engine))
        if arguments.to is not None:
            shutil.copytree(files.path, arguments.to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    except ModelUnavailable as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{arguments.to}: {error.strerror}")
    sys.stdout.write(f"{arguments.to or files.path} {files.digest}\n")
    return OK


def model_spec(model: str, engine: EngineName) -> ModelSpec:
    """A model by its folder, its repository (owner/name) or its name."""
    from whisper_transcriber.domain.model import HuggingFace, ModelSpec, ModelUnavailable, Source

    folder = Path(model)
    source = None
    if folder.is_dir():
        source = Source(path=str(folder))
    elif model.startswith((".", "/")) or model.count("/") > 1:
        raise ModelUnavailable(f"The folder {model} does not exist.")
    elif "/" in model:
        source = Source(hugging_face=HuggingFace(repo=model))
    name = folder.resolve().name if source else model
    try:
        return ModelSpec(name=name, source=source, engine=engine)
    except ValueError as error:
        raise ModelUnavailable(
            f"{name!r} cannot be the name of a model: letters, digits, dots and dashes can."
        ) from error


def resolved(spec: ModelSpec) -> ModelFiles:
    """The model's files; the folders are those of the pods if they are set, else the user's cache."""
    from whisper_transcriber.models import resolve

    return resolve(spec, Path(os.environ.get("WHISPER_PRELOADED_MODELS") or "/models"), user_cache())


def user_cache() -> Path:
    """Where models are kept: the pod's folder if it is set, else the user's."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper-transcriber"
    return Path(os.environ.get("WHISPER_MODEL_CACHE") or home)


def user_data() -> Path:
    """Where a service on one machine keeps its jobs unless it is told."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "whisper-transcriber"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _refuse(text: str) -> int:
    _say(f"error: {text}")
    return UNUSABLE
