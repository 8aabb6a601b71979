"""The worker's loop around an engine that does as the test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from assets import speech
from services.servers import until
from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import TONE, Script, ScriptedEngine, said
from whisper_transcriber import audio
from whisper_transcriber.bell.port import WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.job import Job, JobRequest, NewJob, audio_key
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.domain.options import Options, Vad
from whisper_transcriber.engine.port import Decoded, Encoded, Engine, Language, Prompt, Sampling
from whisper_transcriber.objects.port import Unavailable
from whisper_transcriber.worker import Models, run


class Scripted(Models):
    """Models whose engine is a script."""

    def __init__(self, deps: Deps, script: Script | ScriptedEngine) -> None:
        super().__init__(deps)
        self.engine = script if isinstance(script, ScriptedEngine) else ScriptedEngine(script)

    def _load(self, spec: ModelSpec) -> Engine:
        return self.engine


async def submitted(
    deps: Deps, seconds: float = 5, options: Options | None = None, priority: int = 0, path: Path | None = None
) -> Job:
    """A job on real speech: what is no speech never reaches the engine."""

    async def body() -> AsyncIterator[bytes]:
        yield (path or speech.long(seconds).path).read_bytes()

    new = NewJob(uuid4(), JobRequest("base", options or Options(), priority, sha256="00"))
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


async def test_an_engine_that_always_fails_ends_the_job_after_so_many_attempts(deps: Deps) -> None:
    def script(name: float, _prompt: Prompt, _sampling: Sampling) -> Decoded:
        if name != TONE:
            raise RuntimeError("the engine broke")
        return said("la")

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

    def script(name: float, _prompt: Prompt, _sampling: Sampling) -> Decoded:
        # Each window fails at first: two such attempts in a row would end the job, but each window done starts anew.
        if name != TONE and name not in failed:
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


async def test_a_window_that_always_fails_ends_a_long_job_as_soon_as_a_short_one(deps: Deps) -> None:
    """Windows beside it that succeed do not count as progress for it."""
    lengths = [len(samples) for _, samples in audio.windows(audio.decode(speech.long(200).path))]
    poison = lengths[1]
    assert lengths.count(poison) == 1
    assert len(lengths) > 6

    class Poisoned(ScriptedEngine):
        """Cannot encode the second window."""

        def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
            if len(batch[0]) == poison:
                raise RuntimeError("poisoned")
            return super().encode(batch, full=full)

    engine = Poisoned(lanes=2)
    found = await worked(deps, Scripted(deps, engine), await submitted(deps, 200))
    assert (found.status, found.failures, found.attempt) == ("failed", 3, 4)


async def test_a_worker_survives_a_job_that_the_engine_cannot_do(deps: Deps) -> None:
    broken = True

    def script(name: float, _prompt: Prompt, _sampling: Sampling) -> Decoded:
        if broken and name != TONE:
            raise RuntimeError("the engine broke")
        return said("well")

    models = Scripted(deps, script)
    assert (await worked(deps, models, await submitted(deps))).status == "failed"
    broken = False
    job = await submitted(deps)
    async with deps.bell.listen(ended(job.id)) as ear:
        assert (await worked(deps, models, job)).status == "succeeded"
        assert await ear.heard(1)


async def test_a_short_job_passes_a_long_one_in_the_same_worker(deps: Deps) -> None:
    engine = Gated()
    async with working(deps, Scripted(deps, engine)):
        long = await submitted(deps, 70)
        await engine.entered()
        await queued(deps, 2)
        short = await submitted(deps, 5)
        await queued(deps, 3)
        engine.let(2)  # what is being computed, and then the short one
        found = await asyncio.wait_for(until_ended(deps, short.id), 60)
        assert found is not None
        assert found.status == "succeeded"
        assert (await deps.store.get(long.id)).status == "running"  # type: ignore[union-attr]
        assert value(deps, "whisper_worker_busy") == 1
        engine.let()
        assert (await until_ended(deps, long.id)).status == "succeeded"  # type: ignore[union-attr]
    assert value(deps, "whisper_worker_busy") == 0
    assert value(deps, "whisper_inflight_audio_seconds") == pytest.approx(0, abs=1e-6)


async def test_no_more_claims_than_allowed_and_no_more_windows_than_can_be_used(deps: Deps) -> None:
    deps = replace(deps, settings=deps.settings.model_copy(update={"claims": 2}))
    engine = Gated()
    async with working(deps, Scripted(deps, engine)):
        jobs = [await submitted(deps, 120) for _ in range(3)]
        await engine.entered()
        await queued(deps, 5)  # of each claim three at once; one of them is being computed
        states = [(await deps.store.get(job.id)).status for job in jobs]  # type: ignore[union-attr]
        assert sorted(states) == ["queued", "running", "running"]
        assert value(deps, "whisper_inflight_audio_seconds") > 240
        engine.let()


async def test_a_worker_told_to_stop_records_what_it_computes_and_hands_every_claim_back(deps: Deps) -> None:
    engine = Gated()
    async with working(deps, Scripted(deps, engine)) as stop:
        jobs = [await submitted(deps, 70) for _ in range(3)]
        await engine.entered()
        await holding(deps, 3)
        await queued(deps, 8)
        stop.set()
        await queued(deps, 0)
        engine.let(1)
    found = [await deps.store.get(job.id) for job in jobs]
    assert [(job.status, job.failures, job.attempt) for job in found if job] == [("queued", 0, 1)] * 3
    assert sorted(job.windows_done for job in found if job) == [0, 0, 1]
    assert len(engine.begun) == 1
    assert value(deps, "whisper_jobs_total", outcome="handed_back") == 3


async def test_a_cancelled_job_leaves_the_queue_at_once(deps: Deps) -> None:
    # The heartbeat would find out in minutes: it is the bell that says so.
    deps = replace(deps, settings=deps.settings.model_copy(update={"claim_lease_seconds": 900}))
    engine = Gated()
    async with working(deps, Scripted(deps, engine)):
        cancelled = await submitted(deps, 70, priority=1)
        await engine.entered()
        await queued(deps, 2)
        other = await submitted(deps, 70)
        await queued(deps, 5)
        await deps.store.cancel(cancelled.id)
        await deps.bell.ring(ended(cancelled.id))  # as the API does
        await queued(deps, 3)
        engine.let()
        assert (await until_ended(deps, other.id)).status == "succeeded"  # type: ignore[union-attr]
    assert value(deps, "whisper_jobs_total", outcome="dropped") == 1


async def test_a_poisoned_window_fails_its_own_job_only(deps: Deps) -> None:
    deps = replace(
        deps, settings=deps.settings.model_copy(update={"lane_windows": 8, "max_failures": 1, "batch_seconds": 1e9})
    )

    class Mixing(Gated):
        """Decodes under different prompts in one call."""

        def decode_key(self, prompt: Prompt) -> int:
            return 0

    def script(_name: float, prompt: Prompt, _sampling: Sampling) -> Decoded:
        if prompt.text == "poison":
            raise RuntimeError("the engine broke")
        return said("well")

    engine = Mixing(script=script)
    async with working(deps, Scripted(deps, engine)):
        first = await submitted(deps, 5)
        await engine.entered()
        others = [await submitted(deps, 5, Options(prompt=prompt)) for prompt in ("a", "poison", "b", "c")]
        await queued(deps, 4)
        engine.let()
        found = [await until_ended(deps, job.id) for job in (first, *others)]
    assert [job.status for job in found if job] == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    assert [job.failures for job in found if job] == [0, 0, 1, 0, 0]
    assert len(engine.begun[1]) == 4  # they did share a batch


async def test_a_window_of_an_unsure_language_is_heard_again_in_the_language_of_the_file(deps: Deps) -> None:
    class Unsure(ScriptedEngine):
        """Takes the first window for Italian, without being sure."""

        def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
            first = not self.batches("detect")
            found = super().detect(rows, among)
            return [Language("it", 0.3) for _ in rows] if first else found

    engine = Unsure(lambda _name, prompt, _sampling: said(f"in {prompt.language}", seconds=30))
    job = await submitted(deps, 70)
    found = await worked(deps, Scripted(deps, engine), job)
    assert (found.status, found.language) == ("succeeded", "en")
    assert found.windows_done >= 3
    assert len(engine.batches("decode")) == found.windows_done + 1
    transcript = await results.read(deps.objects, job.id)
    assert [segment.text for segment in transcript.segments] == [" in en"] * found.windows_done


async def test_what_is_handed_back_because_the_world_is_away_is_not_claimed_in_a_spin(deps: Deps) -> None:
    class Away(type(deps.objects)):  # type: ignore[misc]
        """An object store that does not answer."""

        def get(self, key: str) -> AsyncIterator[bytes]:
            raise Unavailable("away")

    deps = replace(deps, objects=Away(Path("/nonexistent")))
    new = NewJob(uuid4(), JobRequest("base", sha256="00"))
    await deps.store.create(new)
    started = time.monotonic()
    async with working(deps, Scripted(deps, ScriptedEngine())):

        async def often() -> bool:
            return value(deps, "whisper_jobs_total", outcome="handed_back") >= 5

        await until(often, "five attempts")
    job = await deps.store.get(new.id)
    assert job is not None
    assert (job.status, job.failures) == ("queued", 0)
    assert job.attempt <= 2 + (time.monotonic() - started) / deps.settings.poll_seconds


async def test_a_job_is_cut_as_it_asks(deps: Deps) -> None:
    """The pauses of half a second in the recording are inside the usual windows."""
    models = Scripted(deps, lambda _name, _prompt, _sampling: said("well"))
    usual = await worked(deps, models, await submitted(deps, 20))
    finer = await worked(deps, models, await submitted(deps, 20, Options(vad=Vad(silence_duration_ms=300))))
    assert finer.windows_done > usual.windows_done


async def test_hotwords_and_languages_of_a_job_reach_the_engine(deps: Deps) -> None:
    prompts: list[Prompt] = []

    def script(_name: float, prompt: Prompt, _sampling: Sampling) -> Decoded:
        prompts.append(prompt)
        return said("well")

    options = Options(prompt="A call.", hotwords=("Digium", "PBX"), languages=("de", "fr"))
    assert (await worked(deps, Scripted(deps, script), await submitted(deps, 5, options))).status == "succeeded"
    assert {(prompt.language, prompt.text) for prompt in prompts} == {("de", "A call. Digium, PBX.")}
