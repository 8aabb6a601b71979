"""A job's progress as Server-Sent Events. Each is a snapshot: whoever missed some misses nothing by the next."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.bodies import JobBody, job_body
from whisper_transcriber.api.callers import OwnJob
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.looks import until_next
from whisper_transcriber.domain.job import Job
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)
router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
_LOOK_SECONDS = 1.0
_HEARTBEAT_SECONDS = 15.0
_RETRY = b"retry: 2000\n\n"
_STREAM = {
    "description": "`job.progress` with the job as data whenever something changed, then `job.succeeded`, "
    "`job.failed`, `job.cancelled` or `job.deleted`, and the end",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: _STREAM, 204: {"description": "The end was the last event that was seen"}},
)
async def events(
    job: OwnJob,
    request: Request,
    deps: Given,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=255)] = None,
) -> Response:
    """Follow a job to its end. A `Last-Event-ID` is not told again; a browser's EventSource stops at the 204."""
    if job.ended and last == version(job):
        return Response(status_code=204)
    stream = _stream(deps, job.id, last, request.app.state.stopping)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def version(job: Job) -> str:
    """Equal for equal states of one job: the id of the event that tells it. The same on every API pod."""
    windows = (job.windows_done, job.windows_total, job.parts, job.parts_done, job.processed_seconds)
    seen = repr((job.status, job.attempt, windows, job.audio_seconds, job.request.priority))
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


async def _stream(deps: Deps, id_: UUID, last: str | None, stopping: asyncio.Event) -> AsyncIterator[bytes]:
    """Events and heartbeats until the job has ended or is gone. An API pod that stops ends early: clients come back."""
    yield _RETRY
    loop = asyncio.get_running_loop()
    told = loop.time()
    async with deps.bell.listen(ended(id_)) as ear:
        while not stopping.is_set():
            found, looked = await _look(deps, id_)
            if looked and found is None:
                yield b"event: job.deleted\ndata: {}\n\n"
                return
            if found is not None and version(found) != last:
                last, told = version(found), loop.time()
                yield _event(found, await _body(deps, found))
            if found is not None and found.ended:
                return
            if loop.time() - told >= _HEARTBEAT_SECONDS:
                told = loop.time()
                yield b": still there\n\n"
            await ear.heard(until_next(loop.time(), _LOOK_SECONDS))


async def _look(deps: Deps, id_: UUID) -> tuple[Job | None, bool]:
    """The job, and whether the store answered: once for all who follow jobs here."""
    try:
        return await deps.looks.at(id_), True
    except Unavailable as error:
        log.warning("Could not look at a job, looking again", job=id_, reason=str(error))
        return None, False


async def _body(deps: Deps, job: Job) -> JobBody:
    try:
        outlook = None if job.ended else await deps.store.outlook(job.id)
    except Unavailable:
        outlook = None
    return job_body(job, outlook, datetime.now(UTC))


def _event(job: Job, body: JobBody) -> bytes:
    name = job.status if job.ended else "progress"
    return f"id: {version(job)}\nevent: job.{name}\ndata: {body.model_dump_json()}\n\n".encode()
