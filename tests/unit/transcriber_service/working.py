"""A worker around an engine that does as the test says, and jobs on real speech for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from assets import speech
from services.servers import until
from unit.transcriber_core.scripted import Script, ScriptedEngine
from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.job import Job, JobRequest, NewJob, audio_key
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.domain.options import Options
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.worker import Models, run


class Scripted(Models):
    """Models whose engine is a script."""

    def __init__(self, deps: Deps, script: Script | ScriptedEngine) -> None:
        super().__init__(deps)
        self.engine = script if isinstance(script, ScriptedEngine) else ScriptedEngine(script)

    def _load(self, spec: ModelSpec) -> Engine:
        return self.engine


async def submitted(
    deps: Deps,
    seconds: float = 5,
    options: Options | None = None,
    priority: int = 0,
    path: Path | None = None,
    **of: Any,
) -> Job:
    """A job on real speech: what is no speech never reaches the engine."""

    async def body() -> AsyncIterator[bytes]:
        yield (path or speech.long(seconds).path).read_bytes()

    new = NewJob(uuid4(), JobRequest("base", options or Options(), priority, sha256="00"), **of)
    await deps.objects.put(audio_key(new.id), body())
    job, _ = await deps.store.create(new)
    await deps.bell.ring(WORK)
    return job


@asynccontextmanager
async def working(deps: Deps, models: Models) -> AsyncIterator[asyncio.Event]:
    """A worker for the length of the block; the event stops it as SIGTERM does."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(deps, models, stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


def value(deps: Deps, name: str, **labels: str) -> float:
    return deps.metrics.registry.get_sample_value(name, labels) or 0.0


async def holding(deps: Deps, claims: int) -> None:
    """Wait until the worker holds so many claims."""

    async def holds() -> bool:
        return value(deps, "whisper_worker_busy") == claims

    await until(holds, f"{claims} claims")


async def queued(deps: Deps, windows: int) -> None:
    """Wait until so many windows wait for the engine."""

    async def waiting() -> bool:
        return value(deps, "whisper_windows_waiting", model="none") == windows

    await until(waiting, f"{windows} waiting windows")


async def worked(deps: Deps, models: Models, job: Job) -> Job:
    """The job once a worker has ended it."""
    async with working(deps, models):
        found = await asyncio.wait_for(until_ended(deps, job.id), 60)
    assert found is not None
    return found
