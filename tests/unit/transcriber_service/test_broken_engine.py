"""An engine that breaks ends the worker and costs no job; a window that an engine cannot do costs its own job only."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.transcriber_core.scripted import ScriptedEngine, said
from unit.transcriber_service.working import Scripted, submitted, worked
from whisper_transcriber.batching.faults import judged, verdict
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.model import BrokenEngine
from whisper_transcriber.domain.options import Options, UnsupportedOption
from whisper_transcriber.engine.port import Decoded, Encoded, Prompt, Sampling
from whisper_transcriber.worker import run

LOST = "CUDA failed with error an illegal memory access was encountered"


class Breaking(ScriptedEngine):
    """Computes so many batches; from then on its device is lost."""

    def __init__(self, good: int) -> None:
        super().__init__(lambda name, _prompt, _sampling: said(f"row {name:g}"))
        self.good = good

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        if self.good <= 0:
            raise RuntimeError(LOST)
        self.good -= 1
        return super().encode(batch, full=full)


@pytest.mark.parametrize(
    ("raised", "sound", "is_"),
    [
        (RuntimeError(LOST), False, "broken"),
        (RuntimeError("out of memory"), False, "broken"),
        (RuntimeError("out of memory"), True, "full"),
        (RuntimeError("index out of range"), True, "poisoned"),
        (UnsupportedOption("no"), True, "refused"),
        (UnsupportedOption("no"), False, "refused"),
    ],
)
def test_whose_fault_it_is(raised: Exception, sound: bool, is_: str) -> None:
    assert verdict(raised, sound=sound) == is_


@given(st.lists(st.sampled_from(["fine", RuntimeError("x"), UnsupportedOption("y")]), max_size=6), st.booleans())
def test_answers_are_judged_one_by_one(answers: list[str | Exception], sound: bool) -> None:
    asked: list[None] = []

    def check() -> Exception | None:
        asked.append(None)
        return None if sound else RuntimeError(LOST)

    found, broken = judged(answers, check)
    failed = any(isinstance(each, RuntimeError) for each in answers)
    assert (len(asked), broken) == (int(failed), failed and not sound)
    for before, after in zip(answers, found, strict=True):
        assert after is before or (broken and isinstance(before, RuntimeError) and isinstance(after, BrokenEngine))


async def test_a_device_that_is_lost_ends_the_worker_and_no_job(deps: Deps, caplog: pytest.LogCaptureFixture) -> None:
    jobs = [await submitted(deps, 5, Options(prompt=prompt)) for prompt in ("a", "bb", "ccc", "dddd")]
    with pytest.raises(BrokenEngine, match="illegal memory access"):
        await asyncio.wait_for(run(deps, Scripted(deps, Breaking(1)), asyncio.Event()), 60)
    found = [await deps.store.get(job.id) for job in jobs]
    statuses = [job.status for job in found if job is not None]
    assert sorted(statuses) == ["queued"] * 3 + ["succeeded"]
    # Only the one whose window it broke at is suspected.
    assert sum(job.failures for job in found if job is not None) == 1
    assert "The engine is broken" in caplog.text
    for job in jobs:
        ended = await worked(deps, Scripted(deps, ScriptedEngine()), job)
        assert ended.status == "succeeded"


async def test_a_window_that_breaks_every_device_fails_its_job_in_the_end(deps: Deps) -> None:
    job = await submitted(deps)
    for _ in range(3):
        with pytest.raises(BrokenEngine):
            await asyncio.wait_for(run(deps, Scripted(deps, Breaking(0)), asyncio.Event()), 60)
    found = await worked(deps, Scripted(deps, Breaking(0)), job)
    assert (found.status, found.failures) == ("failed", 3)


async def test_a_window_that_the_engine_cannot_do_breaks_nothing(deps: Deps) -> None:
    def script(name: float, prompt: Prompt, _sampling: Sampling) -> Decoded:
        if prompt.text == "poison":
            raise RuntimeError("index out of range")
        return said(f"row {name:g}")

    models = Scripted(deps, script)
    poisoned = await worked(deps, models, await submitted(deps, 5, Options(prompt="poison")))
    assert poisoned.status == "failed"
    assert models.lost is None
    assert (await worked(deps, Scripted(deps, script), await submitted(deps, 5))).status == "succeeded"


async def test_what_computes_nothing_from_the_start_claims_nothing(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is loaded as ever, but its device computes nothing."""
    from whisper_transcriber.worker import Models, models

    monkeypatch.setattr(models, "resolve", lambda *_: None)
    monkeypatch.setattr(models, "load", lambda *_: Breaking(0))
    job = await submitted(deps)
    with pytest.raises(BrokenEngine, match="illegal memory access"):
        await asyncio.wait_for(run(deps, Models(deps), asyncio.Event()), 60)
    now = await deps.store.get(job.id)
    assert now is not None
    assert (now.status, now.attempt) == ("queued", 0)
