"""Many who follow jobs in one process are one load on the store."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from unit.transcriber_service.test_jobs_api import Stream
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.looks import Looks, until_next
from whisper_transcriber.domain.job import Job, JobRequest, NewJob
from whisper_transcriber.domain.options import Options
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.port import Unavailable


class Counting(MemoryStore):
    """Counts the looks at it, each of which takes until it is told to answer, or is away."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[set[UUID]] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.away = False

    async def find(self, jobs: Collection[UUID]) -> Mapping[UUID, Job]:
        self.looks.append(set(jobs))
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise Unavailable("it is away")
        return await super().find(jobs)


async def created(store: MemoryStore) -> UUID:
    return (await store.create(NewJob(uuid4(), JobRequest("base", Options()))))[0].id


async def test_those_who_ask_while_a_look_is_on_its_way_share_the_next_one() -> None:
    store = Counting()
    jobs = [await created(store) for _ in range(3)]
    looks, unknown = Looks(store), uuid4()
    first = asyncio.create_task(looks.at(jobs[0]))
    await store.asked.wait()
    others = [asyncio.create_task(looks.at(job)) for job in [*jobs, *jobs, unknown]]
    await asyncio.sleep(0)
    store.answers.set()
    found = await asyncio.gather(first, *others)
    assert [job and job.id for job in found] == [jobs[0], *jobs, *jobs, None]
    assert store.looks == [{jobs[0]}, {*jobs, unknown}]


async def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    store = Counting()
    job = await created(store)
    looks = Looks(store)
    leaving, staying = asyncio.create_task(looks.at(job)), asyncio.create_task(looks.at(job))
    await store.asked.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    store.answers.set()
    seen = await staying
    assert seen is not None
    assert seen.id == job


async def test_a_store_that_is_away_is_told_to_all_and_asked_again() -> None:
    store = Counting()
    job = await created(store)
    looks, store.away = Looks(store), True
    store.answers.set()
    refused = await asyncio.gather(looks.at(job), looks.at(job), return_exceptions=True)
    assert [type(each) for each in refused] == [Unavailable, Unavailable]
    store.away = False
    assert await looks.at(job) == await store.get(job)


async def test_a_hundred_who_follow_events_cost_what_one_costs(deps: Deps) -> None:
    store = Counting()
    store.answers.set()
    deps = replace(deps, store=store)
    jobs = [str(await created(store)) for _ in range(100)]
    streams = [Stream(deps, job, None).events() for job in jobs]
    told = await asyncio.gather(*(anext(stream) for stream in streams))
    assert {event["event"] for event in told} == {"job.progress"}
    following = [asyncio.ensure_future(anext(stream)) for stream in streams]
    before = len(store.looks)
    while sum(map(len, store.looks[before:])) < 300:
        await asyncio.wait(following, timeout=0.05)
    # By the clock each has looked three times, and all of them together.
    assert len(store.looks[before:]) <= 12
    for job in jobs:
        await store.cancel(UUID(job))
    assert {event["event"] for event in await asyncio.gather(*following)} == {"job.cancelled"}


@pytest.mark.parametrize(("now", "every", "left"), [(10.0, 1.0, 1.0), (10.25, 1.0, 0.75), (11.5, 3.0, 0.5)])
def test_all_look_at_the_same_moments(now: float, every: float, left: float) -> None:
    assert until_next(now, every) == left
