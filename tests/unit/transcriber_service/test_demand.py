"""How many workers a queue takes: the formula, what workers learn about themselves, and the endpoint."""

import asyncio
from dataclasses import replace
from math import ceil
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.transcriber_core.scripted import said
from unit.transcriber_service.working import Scripted, submitted, working
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.demand import Team, workers
from whisper_transcriber.domain.job import JobRequest, NewJob, Queue
from whisper_transcriber.domain.webhooks import Webhook
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.worker.effort import Effort

EMPTY = Queue(0, 0, 0.0)
amounts = st.floats(0, 1e6, allow_nan=False)
queues = st.builds(
    Queue,
    queued=st.integers(0, 50),
    running=st.integers(0, 50),
    oldest_seconds=amounts,
    backlog_seconds=amounts,
    in_flight_seconds=amounts,
    unopened=st.integers(0, 50),
    claimable=st.integers(0, 200),
    claimed=st.integers(0, 200),
)
teams = st.builds(
    Team,
    real_time_factor=st.none() | st.floats(1e-3, 10),
    busy=st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 8), max_size=20),
)


def test_the_formula_of_the_design() -> None:
    queue = replace(EMPTY, queued=3, running=1, backlog_seconds=1500.0, in_flight_seconds=300.0, claimable=9)
    assert workers(queue, Team(0.2), 60.0) == ceil(1800 * 0.2 / 60)
    assert workers(queue, Team(0.2), 600.0) == 1
    assert workers(queue, Team(5.0, {"a": 1}), 60.0) == 10, "one for each thing to claim, and the one that is busy"
    assert workers(replace(queue, claimable=2), Team(0.2, {"a": 3}), 60.0) == 3


def test_a_job_of_unknown_length_is_worth_a_worker() -> None:
    assert workers(replace(EMPTY, queued=1, unopened=1, claimable=1), Team(), 60.0) == 1
    assert workers(EMPTY, Team(0.2), 60.0) == 0


def test_webhooks_that_are_due_are_worth_one_worker() -> None:
    assert workers(EMPTY, Team(0.2), 60.0, 5) == 1
    busy = replace(EMPTY, queued=3, running=1, backlog_seconds=1500.0, in_flight_seconds=300.0, claimable=9)
    assert workers(busy, Team(0.2), 60.0, 5) == workers(busy, Team(0.2), 60.0)


async def test_a_due_webhook_ends_the_wait_for_work(http: httpx.AsyncClient, deps: Deps) -> None:
    asking = asyncio.create_task(http.get("/internal/demand?wait_seconds=30"))
    job = NewJob(uuid4(), JobRequest("base", sha256="00"), webhook=Webhook("https://receiver.example/"))
    await deps.store.create(job)
    await deps.store.cancel(job.id)
    answer = (await asyncio.wait_for(asking, 20)).json()
    assert (answer["workers"], answer["webhooks"], answer["queued"]) == (1, 1, 0)
    assert 'whisper_webhook_deliveries{state="due"} 1.0' in (await http.get("/metrics")).text


@given(queue=queues, team=teams, target=st.floats(1, 3600))
def test_never_none_for_work_and_never_more_than_have_something_to_do(queue: Queue, team: Team, target: float) -> None:
    found = workers(queue, team, target)
    assert (found == 0) == (queue.queued + queue.running == 0)
    assert found <= max(1, len(team.busy) + queue.claimable)


@given(queue=queues, team=teams, target=st.floats(1, 3600), more=amounts)
def test_more_audio_never_takes_fewer_and_a_longer_wait_never_more(
    queue: Queue, team: Team, target: float, more: float
) -> None:
    found = workers(queue, team, target)
    assert workers(replace(queue, backlog_seconds=queue.backlog_seconds + more), team, target) >= found
    assert workers(queue, team, target + more) <= found


def test_time_counts_once_however_many_claims_are_held() -> None:
    now = 0.0
    effort = Effort(lambda: now)
    for _ in range(3):
        effort.take()
    now = 10.0
    for _ in range(3):
        effort.off()
    now = 100.0
    effort.did(40.0)
    assert effort.figures == (10.0, 40.0)
    effort.take()
    now = 700.0
    busy, audio = effort.figures
    assert [busy, audio] == pytest.approx([605.0, 20.0]), "what is old fades"


async def test_a_worker_tells_how_fast_it_was(deps: Deps) -> None:
    await submitted(deps)
    told = asyncio.Event()
    pace = deps.store.pace

    async def noticed(worker: str, busy: float, audio: float) -> None:
        await pace(worker, busy, audio)
        told.set()

    deps.store.pace = noticed  # type: ignore[method-assign]
    async with working(deps, Scripted(deps, lambda *_: said("word"))):
        async with asyncio.timeout(30):
            await told.wait()
        team = await deps.store.team()
    assert team.real_time_factor is not None and team.real_time_factor > 0


async def test_the_endpoint_says_what_it_follows_from(http: httpx.AsyncClient, deps: Deps) -> None:
    body = (await http.get("/internal/demand")).json()
    assert (body["workers"], body["real_time_factor"], body["busy"]) == (0, None, {})
    await deps.store.create(NewJob(uuid4(), JobRequest("base", sha256="00")))
    assert await deps.store.claim("pod-1", 60)
    body = (await http.get("/internal/demand?target_wait_seconds=30")).json()
    assert (body["workers"], body["running"], body["claimed"], body["busy"]) == (1, 1, 1, {"pod-1": 1})
    assert (await http.get("/internal/demand?target_wait_seconds=0")).status_code == 400


async def test_the_endpoint_waits_for_the_first_job(http: httpx.AsyncClient, deps: Deps) -> None:
    asked = asyncio.create_task(http.get("/internal/demand?wait_seconds=30"))
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    assert not done
    await submitted(deps)
    async with asyncio.timeout(5):
        assert (await asked).json()["workers"] == 1


async def test_a_database_that_is_away_is_no_empty_queue(
    http: httpx.AsyncClient, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> Queue:
        raise Unavailable("away")

    monkeypatch.setattr(deps.store, "queue", away)
    assert (await http.get("/internal/demand")).status_code == 503
    monkeypatch.undo()
    del http.headers["authorization"]
    assert (await http.get("/internal/demand")).status_code == 401
