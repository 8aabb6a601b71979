"""A worker whose engine fails: what it costs, and whom."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from assets import speech
from services.servers import until
from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import TONE, ScriptedEngine, said
from unit.transcriber_service.working import Scripted, queued, submitted, value, worked, working
from whisper_transcriber import audio
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.job import JobRequest, NewJob
from whisper_transcriber.domain.options import Options
from whisper_transcriber.engine.port import Decoded, Encoded, Prompt, Sampling
from whisper_transcriber.objects.port import Unavailable


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
