"""Probes and metrics. `/livez` asks nobody; `/readyz` asks what a request cannot do without."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from whisper_transcriber.api.access import Given
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Queue
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.hooks import Outbox
from whisper_transcriber.store.port import Unavailable as StoreUnavailable

router = APIRouter(tags=["health"])
_PATIENCE = 3.0


@router.get("/livez", response_class=PlainTextResponse)
async def livez() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz", responses={503: {"description": "What is missing", "content": {"application/json": {}}}})
async def readyz(request: Request, deps: Given) -> JSONResponse:
    """200 if jobs can be taken: PostgreSQL and the object store are needed; without Redis the service polls."""
    if request.app.state.stopping.is_set():
        return JSONResponse({"ready": False, "checks": {"process": "stopping"}}, 503)
    store, objects, bell = await asyncio.gather(
        _check(deps.store.ready()), _check(deps.objects.ready()), deps.bell.healthy()
    )
    checks = {"store": store, "objects": objects, "bell": "ok" if bell else "degraded: polling"}
    ready = store == objects == "ok"
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(deps: Given) -> Response:
    """Prometheus metrics; the queue's are read now."""
    await measure_queue(deps)
    body, content_type = deps.metrics.expose()
    return Response(body, media_type=content_type)


async def measure_queue(deps: Deps) -> None:
    """Bring the queue's gauges up to date; NaN while PostgreSQL does not answer, so that nobody scales on a guess."""
    queue: Queue | None = None
    outbox: Outbox | None = None
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            queue, outbox = await deps.store.queue(), await deps.store.hooks.outbox()
    gauges = deps.metrics
    for state in ("pending", "due"):
        gauges.webhook_deliveries.labels(state).set(getattr(outbox, state, float("nan")))
    gauges.webhook_age.set(getattr(outbox, "oldest_seconds", float("nan")))
    for gauge, name in (
        (gauges.queue_jobs.labels("queued"), "queued"),
        (gauges.queue_jobs.labels("running"), "running"),
        (gauges.queue_age, "oldest_seconds"),
        (gauges.queue_unopened, "unopened"),
        (gauges.queue_backlog, "backlog_seconds"),
        (gauges.queue_in_flight, "in_flight_seconds"),
        (gauges.queue_claims.labels("claimable"), "claimable"),
        (gauges.queue_claims.labels("claimed"), "claimed"),
    ):
        gauge.set(getattr(queue, name, float("nan")))


async def _check(asked: Coroutine[Any, Any, None]) -> str:
    """`ok`, or a word on what is wrong; the reasons go to the log, a probe's answer is open to all."""
    try:
        await asyncio.wait_for(asked, _PATIENCE)
    except (StoreUnavailable, ObjectsUnavailable) as error:
        return error.word
    except Missing:
        return "unavailable"
    except TimeoutError:
        return "too slow"
    return "ok"
