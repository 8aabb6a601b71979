"""A job's spans in the worker: in the trace of its request; a batch is linked to all jobs that it serves."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.receiver import receiver, status
from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import ScriptedEngine
from unit.transcriber_service.test_request_ids import Lines
from unit.transcriber_service.tracing import Traced, about, ids, parent, traced
from unit.transcriber_service.working import Scripted, queued, submitted, worked, working
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.domain.webhooks import Webhook
from whisper_transcriber.worker.deliver import deliver
from whisper_transcriber.worker.traces import claimed


def made_by(trace: int, flags: str = "01") -> str:
    """A request's traceparent, its span being 7."""
    return f"00-{trace:032x}-{7:016x}-{flags}"


@pytest.fixture
def on(deps: Deps) -> Traced:
    more = {"lane_windows": 4, "batch_seconds": 1e9, "fetch_allow_private": True}
    return traced(replace(deps, settings=deps.settings.model_copy(update=more)))


async def test_a_short_jobs_spans_are_the_requests(on: Traced) -> None:
    lines, logger = Lines(), logging.getLogger("whisper_transcriber.worker.attempt")
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    engine = ScriptedEngine()
    job = await worked(on.deps, Scripted(on.deps, engine), await submitted(on.deps, traceparent=made_by(1)))
    logger.removeHandler(lines)
    logger.setLevel(logging.NOTSET)
    assert job.status == "succeeded"
    wait, claim, heard = on.one("queue"), on.one("claim open"), on.one("transcribe")
    assert {span.context.trace_id for span in on.spans()} == {1}
    assert (parent(wait), parent(claim), claim.kind.name) == (7, 7, "CONSUMER")
    assert about(claim) == {
        "whisper.job.id": str(job.id),
        "whisper.model": "base",
        "whisper.claim.attempt": 1,
        "whisper.claim.outcome": "succeeded",
    }
    for name in ("fetch audio", "decode audio", "transcribe", "record result"):
        assert parent(on.one(name)) == ids(claim)[1], name
    (batch,) = on.spans("batch")
    assert parent(batch) == ids(heard)[1]
    assert [(link.context.trace_id, link.context.span_id) for link in batch.links] == [ids(heard)]
    assert wait.start_time == int(job.created_at.timestamp() * 1e9)
    assert wait.start_time <= (wait.end_time or 0) <= (claim.end_time or 0)
    told = {line["event"]: line.get("trace_id") for line in lines.written}
    assert told == {"Claimed job": f"{1:032x}", "Left job": f"{1:032x}"}


async def test_a_batch_is_linked_to_every_job_that_it_serves(on: Traced) -> None:
    engine = Gated()
    async with working(on.deps, Scripted(on.deps, engine)):
        first = await submitted(on.deps, traceparent=made_by(1))
        await engine.entered()
        others = [
            await submitted(on.deps, traceparent=made_by(n, flags)) for n, flags in ((2, "01"), (3, "00"), (4, "01"))
        ]
        await queued(on.deps, 3)
        engine.let()
        await asyncio.gather(*(until_ended(on.deps, job.id) for job in (first, *others)))
    alone, together = on.spans("batch")
    heard = {span.context.trace_id: ids(span) for span in on.spans("transcribe")}
    assert sorted(heard) == [1, 2, 4], "the third's caller samples nothing"
    assert [(link.context.trace_id, link.context.span_id) for link in alone.links] == [heard[1]]
    assert {(link.context.trace_id, link.context.span_id) for link in together.links} == {heard[2], heard[4]}
    assert (together.context.trace_id, parent(together)) == (
        together.links[0].context.trace_id,
        heard[together.context.trace_id][1],
    )
    assert about(together)["whisper.batch.windows"] == 3


async def test_a_long_files_parts_are_claims_of_their_own(on: Traced) -> None:
    parts = on.deps.settings.model_copy(update={"part_seconds": 10.0})
    deps, engine = replace(on.deps, settings=parts), ScriptedEngine()
    job = await worked(deps, Scripted(deps, engine), await submitted(deps, 60, traceparent=made_by(1)))
    claims = [span for span in on.spans() if span.name.startswith("claim ")]
    assert {parent(span) for span in claims} == {7}
    numbers = sorted(about(span)["whisper.claim.part"] for span in on.spans("claim part"))  # type: ignore[type-var]
    assert numbers == list(range(job.parts))
    (close,) = on.spans("claim close")
    assert parent(on.one("stitch")) == parent(on.one("record result")) == ids(close)[1]
    assert {span.context.trace_id for span in on.spans()} == {1}
    assert len(on.spans("queue")) == 1


async def test_what_fails_says_so_and_not_with_whose_words(on: Traced, tmp_path: Path) -> None:
    noise = tmp_path / "private-name.wav"
    noise.write_bytes(b"no audio at all")
    job = await worked(
        on.deps, Scripted(on.deps, ScriptedEngine()), await submitted(on.deps, path=noise, traceparent=made_by(1))
    )
    claim = on.one("claim open")
    assert (job.status, about(claim)["error.type"], claim.status.description) == ("failed", "failed", None)
    assert "private-name" not in "".join(span.to_json() for span in on.spans())


async def test_a_webhook_is_delivered_in_the_jobs_trace(on: Traced) -> None:
    async with receiver(status(503)) as hook:
        job = await submitted(on.deps, traceparent=made_by(1), webhook=Webhook(hook.url))
        await on.deps.store.cancel(job.id)
        delivery = await on.deps.store.hooks.claim(60)
        assert delivery is not None
        await deliver(on.deps, delivery)
        (request,) = await hook.got(1)
    span = on.one("deliver webhook")
    assert (span.context.trace_id, parent(span), span.kind.name) == (1, 7, "CLIENT")
    assert about(span) == {
        "error.type": "503",
        "http.request.method": "POST",
        "http.response.status_code": 503,
        "whisper.job.id": str(job.id),
        "whisper.webhook.attempt": 1,
    }
    assert "traceparent" not in request.headers, "a stranger learns nothing of it"


async def test_a_clock_that_is_ahead_makes_no_wait_from_the_future(on: Traced) -> None:
    job = await submitted(on.deps)
    ahead = replace(job, created_at=datetime.now(UTC) + timedelta(hours=1))
    with claimed(on.deps, Claim(ahead, 1, "worker")):
        pass
    wait = on.one("queue")
    assert wait.start_time is not None and wait.end_time is not None
    assert 0 <= wait.end_time - wait.start_time < 1e9
