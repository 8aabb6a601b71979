"""OpenAI's synchronous endpoints: a job that somebody waits for."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import Response

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called, Caller
from whisper_transcriber.api.errors import failed, not_found
from whisper_transcriber.api.openapi import TRANSCRIPTION
from whisper_transcriber.api.parameters import Wanted, transcription
from whisper_transcriber.api.uploads import receive
from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import try_to_forget, until_ended
from whisper_transcriber.domain.job import Job, NewJob
from whisper_transcriber.domain.options import Task
from whisper_transcriber.render import render

router = APIRouter(prefix="/v1/audio", tags=["audio"])
# nginx's code for a client that went away: it only shows in logs and metrics.
_GONE = 499


@router.post("/transcriptions", openapi_extra=TRANSCRIPTION)
async def transcriptions(request: Request, deps: Given, who: Called) -> Response:
    """Transcribe a file and wait for the transcript."""
    return await _answer(request, deps, who, "transcribe")


@router.post("/translations", openapi_extra=TRANSCRIPTION)
async def translations(request: Request, deps: Given, who: Called) -> Response:
    """Translate the speech of a file into English and wait for it."""
    return await _answer(request, deps, who, "translate")


async def _answer(request: Request, deps: Deps, who: Caller, task: Task) -> Response:
    async with _forgotten_after(deps, uuid4()) as job:
        form = await receive(request, deps, job)
        assert form.sha256 is not None
        wanted = transcription(form.fields, deps.models, form.sha256, task)
        await deps.store.create(NewJob(job, wanted.request, tenant=who.tenant, synchronous=True, api_key=who.key))
        await deps.bell.ring(WORK)
        ended = await _while_connected(request, until_ended(deps, job))
        return Response(status_code=_GONE) if ended is None else await _body(deps, ended, wanted)


@asynccontextmanager
async def _forgotten_after(deps: Deps, job: UUID) -> AsyncIterator[UUID]:
    """Nobody will ask for the job again: its audio and text are deleted whatever happens, and its worker is stopped."""
    try:
        yield job
    finally:
        await asyncio.shield(try_to_forget(deps, job))


async def _while_connected(request: Request, waiting: Coroutine[Any, Any, Job | None]) -> Job | None:
    """What is waited for, or None as soon as the client has gone. The request's body must have been read."""
    work, leaving = asyncio.create_task(waiting), asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(deps: Deps, job: Job, wanted: Wanted) -> Response:
    if job.failure is not None:
        raise failed(job.failure)
    if job.status != "succeeded":
        raise not_found("The job was deleted.", "job_deleted")
    body, content_type = render(await results.read(deps.objects, job.id), wanted.format, wanted.granularities)
    return Response(body, media_type=content_type)
