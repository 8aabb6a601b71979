"""A worker at a batch is killed at each of its calls, before and after it: nothing is lost and nothing done twice."""

import asyncio
import inspect
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from unit.transcriber_service.calls import files, succeed
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.batches import Batch
from whisper_transcriber.domain.files import File, Segment, segment_key
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.request.files import read
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.worker.batches import lead_on

LINES = 5


class Killed(BaseException):
    """SIGKILL."""


class Life:
    """Ends at the call number `last`; calls of the dead do nothing."""

    def __init__(self, last: int) -> None:
        self.left = last

    def tick(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed


class Mortal:
    """Somebody's way to a port, as long as they live."""

    def __init__(self, port: Any, life: Life) -> None:
        self._port = port
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if inspect.iscoroutinefunction(found):
            return self._mortal(found)
        if inspect.isasyncgenfunction(found):
            return found
        return Mortal(found, self._life)

    def _mortal(self, call: Any) -> Any:
        async def called(*arguments: Any, **named: Any) -> Any:
            self._life.tick()
            answer = await call(*arguments, **named)
            self._life.tick()
            return answer

        return called


class Clock:
    now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


async def stored(deps: Deps, body: bytes, purpose: str) -> File:
    async def chunks() -> AsyncIterator[bytes]:
        yield body

    now, segment = datetime.now(UTC), Segment(uuid4(), len(body))
    file = File(uuid4(), "default", "whole", len(body), now, now + timedelta(days=1), purpose=purpose)
    await deps.objects.put(segment_key(file.id, segment.id), chunks())
    await deps.store.files.add(replace(file, status="completed", segments=(segment,)))
    return file


async def begun(deps: Deps) -> Batch:
    audio = await stored(deps, b"sound", "user_data")
    url = "/v1/audio/transcriptions"
    bodies = [{"file": f"file-{audio.id.hex}"}, *[{"url": "https://a.example/x"}] * (LINES - 2), {"file": audio.id.hex}]
    lines = [{"custom_id": str(n), "method": "POST", "url": url, "body": body} for n, body in enumerate(bodies)]
    file = await stored(deps, "\n".join(map(json.dumps, lines)).encode(), "batch")
    now = datetime.now(UTC)
    batch = Batch(uuid4(), "default", "/v1/audio/transcriptions", file.id, now, now + timedelta(days=1))
    await deps.store.batches.add(batch)
    return batch


async def course(deps: Deps, clock: Clock, last: int) -> tuple[Batch, int]:
    """The batch at its end, led on by a worker that dies once, and by its successors; and what was left of its life."""
    batch, life = await begun(deps), Life(last)
    mortal = replace(deps, store=Mortal(deps.store, life), objects=Mortal(deps.objects, life))
    worker = mortal
    for _ in range(60):
        found = await deps.store.batches.get(batch.id)
        assert found is not None
        if found.ended:
            return found, life.left
        held = await deps.store.batches.claim(deps.settings.claim_lease_seconds)
        if held is not None:
            try:
                await lead_on(worker, held, asyncio.Event())
            except Killed:
                worker = deps
        clock.now += 2 * deps.settings.claim_lease_seconds
        if (await deps.store.queue()).queued:
            await succeed(deps)
    raise AssertionError("the batch did not end")


async def test_whatever_call_is_the_last_one(deps: Deps, tmp_path: Path) -> None:
    last, left = 0, 0
    while left <= 0:
        last += 1
        clock = Clock()
        settings = deps.settings.model_copy(update={"batch_ahead": 2})
        folder = tmp_path / str(last)
        run = replace(deps, store=MemoryStore(clock), objects=DiskObjects(folder), settings=settings)
        done, left = await course(run, clock, last)
        assert (done.status, done.completed, done.failed) == ("completed", LINES, 0), last
        output = await run.store.files.get(done.output_file)
        assert output is not None
        said = b"".join([chunk async for chunk in read(run, output)]).splitlines()
        assert [json.loads(line)["custom_id"] for line in said] == [str(n) for n in range(LINES)], last
        jobs = Counter(job.metadata["custom_id"] for job in await run.store.list(99))
        assert jobs == Counter(str(n) for n in range(LINES)), last
        assert not [path for path in files(folder) if "batches" in path.parts], last
    assert last > 60, "there were calls to die at"
