"""Where a worker's spans belong: in the trace of the request that made the job."""

from collections.abc import Iterator
from contextlib import contextmanager

from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.deliveries import Delivery
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.tracing import Attributes, Span


@contextmanager
def claimed(deps: Deps, claim: Claim) -> Iterator[Span]:
    """The span of work at a claim; before it, once, that of the job's wait in the queue."""
    job, tracing = claim.job, deps.tracing
    about: Attributes = {
        "whisper.job.id": str(job.id),
        "whisper.model": job.request.model,
        "whisper.claim.attempt": claim.attempt,
        "whisper.claim.part": claim.key[1],
    }
    if claim.kind == "open" and claim.attempt == 1:
        with tracing.span("queue", about, parent=job.traceparent, began=job.created_at):
            pass
    with tracing.span(f"claim {claim.kind}", about, kind="consumer", parent=job.traceparent) as span:
        yield span


async def origin(deps: Deps, delivery: Delivery) -> str | None:
    """The traceparent of the request that made the job of a delivery; nobody asks while traces are off."""
    if not deps.tracing.on:
        return None
    try:
        job = await deps.store.get(delivery.job)
    except Unavailable:
        return None
    return job.traceparent if job else None
