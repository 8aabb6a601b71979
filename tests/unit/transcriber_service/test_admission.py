"""Too much is refused before it is taken: audio in the queue, and bytes in the memory of a process."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from unit.transcriber_service.calls import CLIP, SYNC, claim, error
from unit.transcriber_service.conftest import KEY
from whisper_transcriber.api.admission import Admission
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps, room
from whisper_transcriber.deps.room import LARGEST, Full, Room
from whisper_transcriber.domain.demand import Team, audio_waiting, relief
from whisper_transcriber.domain.job import Queue
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.port import Facts, Unavailable


class Counting(MemoryStore):
    """Counts how often the queue is counted; it may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.away = False

    async def queue(self) -> Queue:
        self.looks += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("it is away")
        return await super().queue()


def api(deps: Deps, **settings: Any) -> httpx.AsyncClient:
    """The API with other settings, and a store that counts."""
    changed = replace(deps, settings=deps.settings.model_copy(update=settings))
    transport = httpx.ASGITransport(create_app(changed), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://api", headers={"Authorization": f"Bearer {KEY}"})


async def test_more_than_may_wait_is_refused_and_told_when_to_come_back(deps: Deps) -> None:
    async with api(deps, max_queue_seconds=60) as http:
        made = [await http.post("/v1/jobs", files=CLIP, data={"reuse": "false"}) for _ in range(2)]
        assert [answer.status_code for answer in made] == [201, 201]
        await deps.store.learn(await claim(deps), Facts(audio_seconds=100.0))
    async with api(deps, max_queue_seconds=60) as http:  # another process, which has not looked yet
        for path in ("/v1/jobs", SYNC, "/v1/audio/translations"):
            refused = await http.post(path, files=CLIP)
            assert (refused.status_code, error(refused)["code"]) == (429, "queue_full")
            # 100 s are in hand, and 30 s are guessed of what waits: 70 s too many, at half a second each.
            assert refused.headers["retry-after"] == "35"
        for path in ("/v1/jobs", "/v1/models", f"/v1/jobs/{made[0].json()['id']}"):
            assert (await http.get(path)).status_code == 200
    assert len(await deps.store.list(10)) == 2


async def test_without_a_limit_nobody_counts(deps: Deps) -> None:
    store = Counting()
    async with api(replace(deps, store=store), max_queue_seconds=0) as http:
        assert (await http.post("/v1/jobs", files=CLIP)).status_code == 201
    assert store.looks == 0


async def test_those_who_come_together_count_once(deps: Deps) -> None:
    store = Counting()
    admission = Admission(replace(deps, store=store))
    seen = await asyncio.gather(*(admission.seen() for _ in range(50)))
    assert (len({id(each) for each in seen}), store.looks) == (1, 1)
    await admission.seen()
    assert store.looks == 1


async def test_a_count_that_failed_is_not_kept(deps: Deps) -> None:
    store = Counting()
    store.away = True
    admission = Admission(replace(deps, store=store))
    refused = await asyncio.gather(*(admission.seen() for _ in range(5)), return_exceptions=True)
    assert {type(each) for each in refused} == {Unavailable}
    store.away = False
    queue, _ = await admission.seen()
    assert (queue.queued, store.looks) == (0, 2)


async def test_without_the_store_a_job_is_refused_for_now(deps: Deps) -> None:
    store = Counting()
    store.away = True
    async with api(replace(deps, store=store)) as http:
        refused = await http.post("/v1/jobs", files=CLIP)
    assert (refused.status_code, refused.headers["retry-after"], error(refused)["code"]) == (503, "5", "unavailable")


@pytest.mark.parametrize(
    ("queue", "team", "limit", "seconds"),
    [
        (Queue(1, 0, 0, backlog_seconds=1000), Team(0.1, {"a": 1, "b": 1}), 800, 10),
        (Queue(1, 0, 0, backlog_seconds=1000), Team(0.1, {}), 800, 20),
        (Queue(1, 0, 0, backlog_seconds=810), Team(0.1, {"a": 1}), 800, 5),
        (Queue(1, 0, 0, backlog_seconds=1e6), Team(None, {}), 800, 600),
        (Queue(9, 1, 0, in_flight_seconds=30, unopened=9), Team(1.0, {"a": 1}), 100, 200),
    ],
)
def test_when_to_come_back(queue: Queue, team: Team, limit: float, seconds: int) -> None:
    assert audio_waiting(queue) > limit
    assert relief(queue, team, limit) == seconds


async def test_room_is_taken_and_given_back() -> None:
    space = Room(2 * LARGEST)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(space.taken(None))
        await stack.enter_async_context(space.taken(LARGEST - 100))
        waiting = asyncio.create_task(_in_and_out(space, 10 * LARGEST))
        async with space.taken(100):  # whatever fits goes in, before what does not
            assert not waiting.done()
    await waiting


async def test_who_gives_up_waiting_takes_no_room() -> None:
    space = Room(LARGEST)
    async with space.taken(None):
        waiting = asyncio.create_task(_in_and_out(space, None))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await _in_and_out(space, LARGEST)


async def test_an_upload_without_room_is_refused(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PATIENCE", 0.01)
    deps = replace(deps, settings=deps.settings.model_copy(update={"upload_memory_bytes": 1024**2}))
    async with api(deps) as http:  # its settings are equal, but its room is another
        assert (await http.post("/v1/jobs", files=CLIP)).status_code == 201
    transport = httpx.ASGITransport(create_app(deps), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        async with deps.room.taken(None):
            refused = await http.post("/v1/jobs", files=CLIP)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert error(refused)["code"] == "overloaded"
            with pytest.raises(Full):
                await _in_and_out(deps.room, 1)
        assert (await http.post("/v1/jobs", files=CLIP)).status_code == 201


async def _in_and_out(space: Room, size: int | None) -> None:
    async with space.taken(size):
        pass
