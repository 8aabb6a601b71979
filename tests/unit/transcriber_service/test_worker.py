"""The worker's loop around an engine that does as the test says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import ScriptedEngine, said
from unit.transcriber_service.working import Scripted, holding, queued, submitted, value, worked, working
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.options import Options, Vad
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Prompt, Sampling


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
