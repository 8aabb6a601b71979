"""What a process that died left behind goes, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Failure, JobRequest, NewJob, audio_key
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.worker.sweep import sweep


class Clock:
    """Seconds, moved by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The store's clock."""
    return Clock()


@pytest.fixture
def aged(deps: Deps, clock: Clock) -> Deps:
    """The service on that clock."""
    return replace(deps, store=MemoryStore(clock))


def jobs_with_audio(stored: Path) -> set[str]:
    return {path.parent.name for path in stored.rglob("audio")}


async def upload(deps: Deps, *, recorded: bool, synchronous: bool = False) -> NewJob:
    async def body() -> AsyncIterator[bytes]:
        yield b"sound"

    job = NewJob(uuid4(), JobRequest("base", sha256="00"), synchronous=synchronous)
    await deps.store.begin_upload(job.id)
    await deps.objects.put(audio_key(job.id), body())
    if recorded:
        await deps.store.create(job)
    return job


async def test_an_upload_without_a_job_goes_after_a_day(aged: Deps, clock: Clock, stored: Path) -> None:
    lost, kept = await upload(aged, recorded=False), await upload(aged, recorded=True)
    clock.now += 23 * 3600
    await sweep(aged)
    assert jobs_with_audio(stored) == {str(lost.id), str(kept.id)}
    clock.now += 2 * 3600
    await sweep(aged)
    assert jobs_with_audio(stored) == {str(kept.id)}
    assert await aged.store.abandoned(0, 0) == []


async def test_a_request_that_nobody_waits_for_goes_an_hour_after_its_end(
    aged: Deps, clock: Clock, stored: Path
) -> None:
    await upload(aged, recorded=True, synchronous=True)
    clock.now += 48 * 3600
    await sweep(aged)
    claim = await aged.store.claim("worker", 60)
    assert claim is not None
    await aged.store.fail(claim, Failure("invalid_audio", "There is no audio stream."))
    clock.now += 3500
    await sweep(aged)
    assert len(await aged.store.list(9)) == 1
    clock.now += 200
    await sweep(aged)
    assert await aged.store.list(9) == []
    assert jobs_with_audio(stored) == set()


async def test_somebody_elses_objects_in_the_bucket_stay(aged: Deps, clock: Clock, stored: Path) -> None:
    theirs = stored / "jobs" / str(uuid4()) / "audio"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"x")
    clock.now += 365 * 24 * 3600
    await sweep(aged)
    assert theirs.exists()
