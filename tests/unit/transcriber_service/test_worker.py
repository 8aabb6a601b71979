"""The worker's loop around an engine that does as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

from assets import speech
from unit.transcriber_core.scripted import ScriptedEngine, said
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.job import Job, JobRequest, NewJob, audio_key
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.engine.port import Decoded, Engine, Prompt
from whisper_transcriber.worker import Models, run


class Scripted(Models):
    """Models whose engine is a script."""

    def __init__(self, deps: Deps, script: Callable[[float, Prompt, float], Decoded]) -> None:
        super().__init__(deps)
        self.engine = ScriptedEngine(script)

    def _load(self, spec: ModelSpec) -> Engine:
        return self.engine


async def submitted(deps: Deps, seconds: float = 5) -> Job:
    """A job on real speech: what is no speech never reaches the engine."""

    async def body() -> AsyncIterator[bytes]:
        yield speech.long(seconds).path.read_bytes()

    new = NewJob(uuid4(), JobRequest("base", sha256="00"))
    await deps.objects.put(audio_key(new.id), body())
    job, _ = await deps.store.create(new)
    return job


async def worked(deps: Deps, models: Models, job: Job) -> Job:
    """The job once a worker has ended it."""
    stop = asyncio.Event()
    working = asyncio.create_task(run(deps, models, stop))
    try:
        found = await asyncio.wait_for(until_ended(deps, job.id), 60)
    finally:
        stop.set()
        await working
    assert found is not None
    return found


async def test_an_engine_that_always_fails_ends_the_job_after_so_many_attempts(deps: Deps) -> None:
    def script(_name: float, _prompt: Prompt, _temperature: float) -> Decoded:
        raise RuntimeError("the engine broke")

    job = await submitted(deps)
    found = await worked(deps, Scripted(deps, script), job)
    assert (found.status, found.failures, found.attempt) == ("failed", 3, 4)
    assert found.failure is not None
    assert found.failure.code == "internal_error"
    assert "the engine broke" not in found.failure.message
    crashed = [
        deps.metrics.registry.get_sample_value("whisper_jobs_total", {"outcome": outcome})
        for outcome in ("crashed", "failed")
    ]
    assert crashed == [3, 1]


async def test_an_engine_that_fails_now_and_then_costs_attempts_but_no_window(deps: Deps) -> None:
    deps = replace(deps, settings=deps.settings.model_copy(update={"batch_windows": 1, "max_failures": 2}))
    failed: set[float] = set()

    def script(name: float, _prompt: Prompt, _temperature: float) -> Decoded:
        # Each window fails at first: two such attempts in a row would end the job, but each window done starts anew.
        if name not in failed:
            failed.add(name)
            raise RuntimeError("the engine broke")
        return said(f"row {name:g}")

    job = await submitted(deps, 70)
    found = await worked(deps, Scripted(deps, script), job)
    assert (found.status, found.failures) == ("succeeded", 0)
    assert found.windows_done >= 3
    assert found.windows_repeated == 0
    assert len(failed) >= 2
    assert found.attempt > 1
    transcript = await results.read(deps.objects, job.id)
    assert len(transcript.segments) == found.windows_done


async def test_a_worker_survives_a_job_that_breaks_the_engine(deps: Deps) -> None:
    broken = True

    def script(_name: float, _prompt: Prompt, _temperature: float) -> Decoded:
        if broken:
            raise RuntimeError("the engine broke")
        return said("well")

    models = Scripted(deps, script)
    assert (await worked(deps, models, await submitted(deps))).status == "failed"
    broken = False
    job = await submitted(deps)
    async with deps.bell.listen(ended(job.id)) as ear:
        assert (await worked(deps, models, job)).status == "succeeded"
        assert await ear.heard(1)
