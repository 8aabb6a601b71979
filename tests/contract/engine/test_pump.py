"""The pump before real weights: whatever is beside a window, it is heard as if it were alone, and short jobs pass."""

import asyncio
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal

import pytest

from assets import speech, weights
from assets.speech import Clip
from contract.engine.engines import noisy
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Item, Pipeline, Pump, Ticket
from whisper_transcriber.batching.stream import hear
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.model import ModelSpec, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.models import resolve


@cache
def real(name: Literal["base", "tiny.en"]) -> Engine:
    folder = {"base": weights.base, "tiny.en": weights.tiny_en}[name]()
    spec = ModelSpec(name=name, source=Source(path=str(folder)), compute_type="int8")
    return engine.load(resolve(spec, Path("/models"), Path("/nonexistent")), spec, 2)


def items(clip: Clip, options: Options) -> list[Item]:
    return [Item(window, samples, options) for window, samples in audio.windows(audio.decode(clip.path))]


async def test_on_processors_a_window_is_heard_to_the_byte_as_if_it_were_alone() -> None:
    clips = [clip for clip in speech.sentences() if clip.seconds < 8][:30:10]
    french = next(clip for clip in speech.sentences("fr") if clip.seconds < 8)
    asked = [
        *(item for clip in clips for item in items(clip, Options(language="en", word_timestamps=True))),
        *items(french, Options()),
        *items(clips[0], Options(language="en", prompt="Asterisk")),
    ]
    pipeline = Pipeline(real("base"))
    alone = [pipeline.together([item])[0].to_json() for item in asked]
    pump = Pump(pipeline)
    try:
        answers = [pump.submit(item, Ticket(n, tenant=f"tenant {n % 2}")) for n, item in enumerate(asked)]
        among = await asyncio.gather(*answers)
        reverse = await asyncio.gather(*(pump.submit(item, Ticket("one job")) for item in reversed(asked)))
    finally:
        await pump.close()
    assert [result.to_json() for result in among] == alone
    assert [result.to_json() for result in reversed(reverse)] == alone


@cache
def tried_again() -> tuple[list[Item], list[str], float]:
    """Three windows that loop and three that need not; what each is heard as alone, and how many were tried again."""
    loops = islice((samples for samples in noisy() if heard_alone([whole(0, samples)])[1]), 3)
    plain = (each.samples for clip in speech.sentences()[:30:10] for each in items(clip, Options()))
    asked = [whole(n, samples) for n, samples in enumerate([*loops, *plain])]
    return asked, *heard_alone(asked)


def whole(number: int, samples: Samples) -> Item:
    window = Window(number, 0.0, len(samples) / SAMPLE_RATE)
    return Item(window, samples, Options(word_timestamps=number % 2 == 0))


def heard_alone(asked: list[Item]) -> tuple[list[str], float]:
    """What each window is heard as with nothing beside it, and how many were tried again."""
    metrics = Metrics()
    pipeline = Pipeline(real("tiny.en"), metrics=metrics)
    heard = [pipeline.together([item])[0].to_json() for item in asked]
    return heard, fallbacks(metrics)


def fallbacks(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("whisper_fallbacks_total") or 0.0


@pytest.mark.parametrize("size", [1, 4])
async def test_what_is_tried_again_is_heard_as_if_it_were_alone_too(size: int) -> None:
    """Beside each other in any order, nothing of them changes."""
    asked, heard, tried = tried_again()
    metrics = Metrics()
    pump = Pump(Pipeline(real("tiny.en"), batch_size=size, metrics=metrics), size=size, metrics=metrics)
    try:
        for order in (asked, asked[1::2] + asked[::2]):
            results = await asyncio.gather(*(pump.submit(item, Ticket(item.window.index)) for item in order))
            assert {result.window.index: result.to_json() for result in results} == dict(enumerate(heard))
    finally:
        await pump.close()
    assert tried >= 3
    assert fallbacks(metrics) == 2 * tried


async def test_a_short_job_behind_a_long_one_waits_for_no_more_than_is_being_computed() -> None:
    long = speech.long(120)
    (short,) = items(next(clip for clip in speech.sentences() if clip.seconds < 4), Options(language="en"))
    pump, begun, done = Pump(Pipeline(real("tiny.en"))), asyncio.Event(), list[WindowResult]()

    def told(result: WindowResult) -> None:
        done.append(result)
        begun.set()

    async def heard() -> list[WindowResult]:
        with audio.decode(long.path) as decoding:
            ticket = Ticket("long", remaining=long.seconds)
            return await hear(pump, audio.windows(decoding), Options(language="en"), ticket, told)

    try:
        long_job = asyncio.create_task(heard())
        await begun.wait()
        before = len(done)
        await pump.submit(short, Ticket("short", remaining=short.window.end))
        meanwhile = len(done) - before
        everything = await long_job
    finally:
        await pump.close()
    # Those that the two lanes had begun, and then, beside the short one, what the other lane took.
    assert meanwhile <= 4
    assert before + meanwhile < len(everything)
