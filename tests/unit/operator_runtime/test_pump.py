"""The task of one resource: bells, backoff, resync, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.servers import until
from whisper_operator.errors import Transient
from whisper_operator.handlers.pump import LONGEST, Pump, Turns, backoff
from whisper_operator.reconcile import Outcome

Script = Callable[[str, str], Awaitable[Outcome]]


class Stage:
    """What a resource's task did: `looks` counts, `steps` says what each look does (the last one again and again)."""

    def __init__(self) -> None:
        self.steps: list[Any] = [Outcome(again=3600)]
        self.looks = 0
        self.looked = asyncio.Condition()
        self.pump = Pump("test", self._work, Turns(1), debounce=0.01, chance=lambda: 0.0)

    async def _work(self, namespace: str, name: str) -> Outcome:
        step = self.steps[min(self.looks, len(self.steps) - 1)]
        async with self.looked:
            self.looks += 1
            self.looked.notify_all()
        if isinstance(step, Exception):
            raise step
        result: Outcome = (await step()) if callable(step) else step
        return result

    async def until(self, looks: int) -> None:
        async with asyncio.timeout(5), self.looked:
            await self.looked.wait_for(lambda: self.looks >= looks)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage()
    yield found
    await found.pump.close()


async def test_a_burst_of_bells_is_one_look(stage: Stage) -> None:
    for _ in range(50):
        stage.pump.ring("ns", "main")
    await stage.until(1)
    stage.pump.ring("ns", "main")
    await stage.until(2)
    assert stage.looks == 2


async def test_a_bell_during_the_look_is_heard_after_it(stage: Stage) -> None:
    async def ring() -> Outcome:
        stage.pump.ring("ns", "main")
        return Outcome(again=3600)

    stage.steps = [ring, Outcome(again=3600)]
    stage.pump.ring("ns", "main")
    await stage.until(2)


async def test_a_bell_while_it_waits_for_its_turn_is_heard_by_that_look(stage: Stage) -> None:
    blocked, due = asyncio.Event(), list[bool]()

    async def block() -> Outcome:
        await blocked.wait()
        return Outcome(again=3600)

    async def look() -> Outcome:
        due.append(stage.pump.rung("ns", "next"))
        return Outcome(again=3600)

    async def queued() -> bool:
        return REGISTRY.get_sample_value("whisper_operator_queue_length", {"kind": "test"}) == 1

    stage.steps = [block, look]
    stage.pump.ring("ns", "first")
    await stage.until(1)
    stage.pump.ring("ns", "next")
    await until(queued, "the turn to be waited for")
    stage.pump.ring("ns", "next")
    blocked.set()
    await stage.until(2)
    assert due == [False]


async def test_the_resync_comes_by_itself(stage: Stage) -> None:
    stage.steps = [Outcome(again=0.01), Outcome(again=3600)]
    stage.pump.ring("ns", "main")
    await stage.until(2)


@pytest.mark.parametrize("error", [Transient("away"), ValueError("a bug")])
async def test_a_failed_look_is_tried_again(stage: Stage, error: Exception) -> None:
    stage.steps = [error, Outcome(again=3600)]
    stage.pump.ring("ns", "main")
    await stage.until(2)


async def test_a_resource_that_is_gone_ends_its_task_and_a_new_one_starts_another(stage: Stage) -> None:
    stage.steps = [Outcome(gone=True)]
    stage.pump.ring("ns", "main")
    await stage.until(1)
    stage.pump.ring("ns", "main")
    await stage.until(2)


async def test_each_resource_has_its_own_task(stage: Stage) -> None:
    blocked = asyncio.Event()

    async def block() -> Outcome:
        await blocked.wait()
        return Outcome(again=3600)

    stage.pump = Pump("test", stage._work, Turns(2), debounce=0.01)
    stage.steps = [block, Outcome(again=3600)]
    stage.pump.ring("ns", "slow")
    await stage.until(1)
    stage.pump.ring("ns", "quick")
    await stage.until(2)
    blocked.set()


async def test_how_long_a_resource_waits_is_measured(stage: Stage) -> None:
    def value(name: str) -> float:
        found = REGISTRY.get_sample_value(name, {"kind": "test"})
        assert found is not None
        return found

    blocked = asyncio.Event()

    async def block() -> Outcome:
        await blocked.wait()
        return Outcome(again=3600)

    stage.steps = [block, Outcome(again=3600)]
    before = value("whisper_operator_queue_seconds_count")
    stage.pump.ring("ns", "slow")
    await stage.until(1)
    assert value("whisper_operator_queue_oldest_seconds") == 0
    stage.pump.ring("ns", "quick")  # the only turn is taken
    since = value("whisper_operator_queue_oldest_seconds")

    async def older() -> bool:
        return value("whisper_operator_queue_oldest_seconds") >= since + 0.05

    await until(older, "the wait to grow")
    blocked.set()
    await stage.until(2)
    assert value("whisper_operator_queue_oldest_seconds") == 0
    assert value("whisper_operator_queue_seconds_count") == before + 2


async def test_what_has_begun_goes_before_what_begins() -> None:
    order, free = list[str](), asyncio.Event()

    async def work(_: str, name: str) -> Outcome:
        order.append(name)
        if name == "holder":
            await free.wait()
        return Outcome("waiting" if name == "begun" else "ok", again=3600)

    def looked(*names: str) -> Callable[[], Awaitable[bool]]:
        async def found() -> bool:
            return order == [*names]

        return found

    async def both_wait() -> bool:
        return REGISTRY.get_sample_value("whisper_operator_queue_length", {"kind": "turns"}) == 2

    pump = Pump("turns", work, Turns(1), debounce=0)
    pump.ring("ns", "begun")
    await until(looked("begun"), "it to begin")
    pump.ring("ns", "holder")
    await until(looked("begun", "holder"), "the turn to be taken")
    pump.ring("ns", "new")
    await asyncio.sleep(0)
    pump.ring("ns", "begun")
    await until(both_wait, "both to wait for it")
    free.set()
    await until(looked("begun", "holder", "begun", "new"), "what has begun to be first")
    await pump.close()


async def test_a_turn_that_nobody_waits_for_any_more_is_not_lost() -> None:
    turns, order = Turns(1), list[str]()

    async def take(name: str, since: float) -> None:
        async with turns.taken(since):
            order.append(name)

    async with turns.taken(0.0):
        tasks = {name: asyncio.create_task(take(name, since)) for name, since in (("b", 2.0), ("a", 1.0), ("c", 3.0))}
        await asyncio.sleep(0)
        tasks["a"].cancel()
        await asyncio.sleep(0)
    tasks["b"].cancel()  # at the very moment at which it is its turn
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert order == ["c"]
    async with turns.taken(0.0):
        order.append("again")
    assert order == ["c", "again"]


async def test_a_closed_pump_starts_nothing(stage: Stage) -> None:
    await stage.pump.close()
    stage.pump.ring("ns", "main")
    await asyncio.sleep(0)
    assert stage.looks == 0


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_spread(failures: int, chance: float) -> None:
    wait = backoff(failures, chance)
    assert 0.25 <= wait <= LONGEST
    assert backoff(failures, 1.0) <= 2 * backoff(failures, 0.0)


def test_backoff_grows() -> None:
    waits = [backoff(failures, 1.0) for failures in range(1, 12)]
    assert waits == sorted(waits) and waits[-1] == LONGEST
