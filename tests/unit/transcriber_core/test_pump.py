"""The queue before a model: who shares batches, who goes first, and what an error costs the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import ScriptedEngine, said
from whisper_transcriber.batching import Item, Pipeline, Pump, Ticket
from whisper_transcriber.domain.options import Options, UnsupportedOption
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Decoded, Prompt, Sampling
from whisper_transcriber.metrics import Metrics

LONG = 3600.0


def item(name: int, options: Options | None = None, seconds: float = 1.0) -> Item:
    samples = np.full(round(seconds * 16_000), name, np.float32)
    return Item(Window(name, name * 10.0, name * 10.0 + seconds), samples, options or Options(language="en"))


@asynccontextmanager
async def pumping(engine: ScriptedEngine, size: int = 8, metrics: Metrics | None = None) -> AsyncIterator[Pump]:
    pump = Pump(Pipeline(engine, batch_size=size), size=size, seconds=1e9, metrics=metrics)
    try:
        yield pump
    finally:
        if isinstance(engine, Gated):
            engine.let()
        await pump.close()


Asked = asyncio.Task[WindowResult]


async def ask(pump: Pump, name: int, ticket: Ticket, options: Options | None = None, seconds: float = 1.0) -> Asked:
    """A window in the queue, the pump having seen it."""
    task = asyncio.create_task(pump.submit(item(name, options, seconds), ticket))
    await asyncio.sleep(0)  # the task runs to where it waits
    return task


async def test_windows_of_several_jobs_share_a_batch() -> None:
    engine = Gated()
    async with pumping(engine, size=3) as pump:
        first = await ask(pump, 1, Ticket("a"))
        await engine.entered()
        others = [await ask(pump, n, Ticket(f"job {n}")) for n in (2, 3, 4, 5)]
        engine.let()
        results = await asyncio.gather(first, *others)
    assert engine.begun == [[1], [2, 3, 4], [5]]  # the first one alone: nothing was known of the pace
    assert [result.window.index for result in results] == [1, 2, 3, 4, 5]
    assert [result.segments[0].text for result in results] == [f" row {n} at 0" for n in (1, 2, 3, 4, 5)]


async def test_a_short_job_does_not_wait_for_a_long_one() -> None:
    engine = Gated()
    async with pumping(engine, size=1) as pump:
        long = [await ask(pump, n, Ticket("long", remaining=LONG)) for n in (1, 2, 3)]
        await engine.entered()
        short = await ask(pump, 9, Ticket("short", remaining=1.0))
        engine.let(2)
        await short
        assert [task.done() for task in long] == [True, False, False]
    assert engine.begun[:2] == [[1], [9]]


async def test_lanes_take_batches_side_by_side() -> None:
    engine = Gated(lanes=2)
    async with pumping(engine, size=1) as pump:
        asked = [await ask(pump, n, Ticket("a")) for n in (1, 2, 3)]
        await engine.entered(2)
        assert sorted(engine.begun) == [[1], [2]]
        engine.let()
        await asyncio.gather(*asked)


async def test_what_cannot_share_a_call_is_in_batches_of_its_own() -> None:
    engine = Gated()
    async with pumping(engine) as pump:
        asked = [await ask(pump, 1, Ticket("a"))]
        await engine.entered()
        for n, options in ((2, Options(language="en")), (3, Options(prompt="Asterisk")), (4, Options(temperature=0.5))):
            asked.append(await ask(pump, n, Ticket(n), options))
        asked.append(await ask(pump, 5, Ticket("other")))
        engine.let()
        await asyncio.gather(*asked)
    assert sorted(engine.begun) == [[1], [2, 5], [3], [4]]


async def test_a_dropped_job_frees_the_queue_at_once() -> None:
    engine = Gated()
    async with pumping(engine, size=1) as pump:
        dropped = [await ask(pump, n, Ticket("dropped")) for n in (1, 2, 3)]
        other = await ask(pump, 9, Ticket("other", remaining=LONG, priority=-1))
        await engine.entered()
        pump.drop("dropped", LookupError("cancelled"))
        for task in dropped[1:]:
            with pytest.raises(LookupError, match="cancelled"):
                await task
        engine.let()
        assert (await dropped[0]).window.index == 1  # what is being computed comes to its end
        await other
    assert engine.begun == [[1], [9]]


def looping(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
    """Row 1 loops until it may not; the others are fine."""
    return said("on and on " * 30 if name == 1 and not sampling.no_repeat else f"row {name:g}")


async def test_between_two_tries_of_a_window_a_short_job_has_its_turn() -> None:
    engine = Gated(script=looping)
    async with pumping(engine, size=1) as pump:
        long = await ask(pump, 1, Ticket("long", remaining=LONG))
        await engine.entered()
        short = await ask(pump, 9, Ticket("short", remaining=1.0))
        engine.let(2)
        await asyncio.gather(long, short)
    assert engine.batches("decode") == [[1], [9], [1]]


async def test_a_dropped_window_is_not_tried_again() -> None:
    engine = Gated(script=looping)
    async with pumping(engine, size=2) as pump:
        again, done = [await ask(pump, n, Ticket("dropped")) for n in (1, 2)]
        await engine.entered()
        pump.drop("dropped", LookupError("cancelled"))
        engine.let()
        with pytest.raises(LookupError, match="cancelled"):
            await again
        with pytest.raises(LookupError, match="cancelled"):
            await done
    assert engine.batches("decode") == [[1]]


async def test_a_cancelled_window_is_not_computed() -> None:
    engine = Gated()
    async with pumping(engine, size=1) as pump:
        first, gone, last = [await ask(pump, n, Ticket("a")) for n in (1, 2, 3)]
        await engine.entered()
        gone.cancel()
        engine.let()
        await asyncio.gather(first, last)
    assert engine.begun == [[1], [3]]


async def test_a_poisoned_window_is_found_and_costs_the_others_nothing() -> None:
    engine, metrics = Gated(poison=13), Metrics()
    async with pumping(engine, metrics=metrics) as pump:
        first = await ask(pump, 1, Ticket("a"))
        await engine.entered()
        asked = {n: await ask(pump, n, Ticket(n)) for n in (11, 12, 13, 14, 15)}
        engine.let()
        await first
        with pytest.raises(RuntimeError, match="poisoned"):
            await asked.pop(13)
        results = await asyncio.gather(*asked.values())
    assert [result.segments[0].text for result in results] == [f" row {n} at 0" for n in (11, 12, 14, 15)]
    assert metrics.registry.get_sample_value("whisper_errors_total", {"kind": "engine"}) == 3  # 5 rows, 3 rows, 1 row


async def test_a_batch_that_memory_does_not_hold_is_halved_and_goes_on() -> None:
    engine, metrics = Gated(fits=2), Metrics()
    async with pumping(engine, metrics=metrics) as pump:
        asked = [await ask(pump, 1, Ticket("a"))]
        await engine.entered()
        asked += [await ask(pump, n, Ticket(n)) for n in range(2, 18)]
        engine.let()
        results = await asyncio.gather(*asked)
    assert [result.window.index for result in results] == list(range(1, 18))
    assert [len(batch) for batch in engine.begun] == [1, 8, 4, 2, 2, 4, 2, 2, 2, 2, 2, 2]
    assert metrics.registry.get_sample_value("whisper_errors_total", {"kind": "out_of_memory"}) == 3


async def test_the_metrics_show_what_waits() -> None:
    engine, metrics = Gated(), Metrics()
    async with pumping(engine, size=1, metrics=metrics) as pump:
        asked = [await ask(pump, n, Ticket("a"), seconds=10) for n in (1, 2, 3)]
        await engine.entered()
        value = metrics.registry.get_sample_value
        assert value("whisper_windows_waiting", {"model": "none"}) == 2
        assert value("whisper_backlog_audio_seconds", {"model": "none"}) == 20
        assert (value("whisper_windows_oldest_seconds", {"model": "none"}) or 0) > 0
        engine.let()
        await asyncio.gather(*asked)
        assert value("whisper_windows_waiting", {"model": "none"}) == 0
        assert value("whisper_windows_oldest_seconds", {"model": "none"}) == 0
        assert value("whisper_batch_windows_count") == value("whisper_batch_seconds_count") == 3
        assert value("whisper_stage_seconds_count", {"stage": "queue"}) == 3


async def test_options_that_the_model_cannot_honour_are_refused_alone() -> None:
    async with pumping(ScriptedEngine(multilingual=False)) as pump:
        with pytest.raises(UnsupportedOption):
            await pump.submit(item(1, Options(language="fr")), Ticket("a"))
        assert (await pump.submit(item(2), Ticket("b"))).window.index == 2


async def test_a_closed_pump_takes_nothing_and_leaves_nobody_waiting() -> None:
    engine = Gated()
    async with pumping(engine, size=1) as pump:
        asked = [await ask(pump, n, Ticket("a")) for n in (1, 2)]
        await engine.entered()
        await pump.close()
        for task in asked:
            with pytest.raises(RuntimeError, match="closed"):
                await task
        with pytest.raises(RuntimeError, match="stopped"):
            await pump.submit(item(3), Ticket("a"))
