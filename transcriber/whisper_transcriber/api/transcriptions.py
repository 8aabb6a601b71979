"""OpenAI's synchronous endpoints: a job that somebody waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.admission import has_queue_left
from whisper_transcriber.api.callers import Called, Caller, has_audio_left
from whisper_transcriber.api.later import accepted, prefers_async
from whisper_transcriber.api.openapi import TRANSCRIPTION
from whisper_transcriber.api.streaming import begun, events, heard
from whisper_transcriber.api.transcripts import ANSWERS
from whisper_transcriber.api.uploads import receive
from whisper_transcriber.api.visits import Events, Visit, while_connected
from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import try_to_forget, until_ended
from whisper_transcriber.domain.job import Job, NewJob
from whisper_transcriber.domain.options import Task
from whisper_transcriber.logs import bind
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.render import render
from whisper_transcriber.request.errors import ApiError, succeeded
from whisper_transcriber.request.parameters import Wanted, transcription

router = APIRouter(prefix="/v1/audio", tags=["audio"], dependencies=[Depends(has_audio_left), Depends(has_queue_left)])
# nginx's code for a client that went away: it only shows in logs and metrics.
_GONE = 499
# Before the fingerprint, what a request for the same is known by. No header can hold it, so no client's key is like it.
_SAME = "\n"


@router.post("/transcriptions", openapi_extra=TRANSCRIPTION, responses=ANSWERS)
async def transcriptions(request: Request, deps: Given, who: Called) -> Response:
    """Transcribe a file and wait for the transcript."""
    return await _answer(request, deps, who, "transcribe")


@router.post("/translations", openapi_extra=TRANSCRIPTION, responses=ANSWERS)
async def translations(request: Request, deps: Given, who: Called) -> Response:
    """Translate the speech of a file into English and wait for it."""
    return await _answer(request, deps, who, "translate")


async def _answer(request: Request, deps: Deps, who: Caller, task: Task) -> Response:
    async with AsyncExitStack() as stack:
        async with _uploaded(deps, uuid4()) as upload:
            form = await receive(request, deps, upload.id)
            assert form.sha256 is not None
            wanted = transcription(form.fields, deps.models, form.sha256, task)
            whose: dict[str, Any] = {"tenant": who.tenant, "api_key": who.key, "traceparent": deps.tracing.here()}
            whose["size"] = form.bytes
            if prefers_async(request):
                later, upload.kept = await deps.store.create(NewJob(upload.id, wanted.request, **whose))
                bind(job=str(later.id))
                await deps.bell.ring(WORK)
                return accepted(later)
            same = _SAME + wanted.request.fingerprint
            new = NewJob(upload.id, wanted.request, same, synchronous=True, **whose)
            job, upload.kept = await deps.store.join(new)
            bind(job=str(job.id))
            visit = Visit(deps, request.app.state.farewells, job.id)
            stack.push_async_callback(visit.leave)
        await deps.bell.ring(WORK)
        if wanted.stream:
            return await _streamed(request, deps, job, wanted, visit, stack)
        ended = await while_connected(request.receive, _ended(deps, job.id))
        return Response(status_code=_GONE) if ended is None else await _body(deps, ended, wanted, visit)


async def _ended(deps: Deps, job: UUID) -> tuple[Job | None]:
    return (await until_ended(deps, job),)


@dataclass
class _Upload:
    """The bytes of a file, which a job of the same id needs; or none, if the same file is being heard already."""

    id: UUID
    kept: bool = False


@asynccontextmanager
async def _uploaded(deps: Deps, id_: UUID) -> AsyncIterator[_Upload]:
    upload = _Upload(id_)
    try:
        yield upload
    finally:
        if not upload.kept:
            await asyncio.shield(try_to_forget(deps, id_))


async def _streamed(
    request: Request, deps: Deps, job: Job, wanted: Wanted, visit: Visit, stack: AsyncExitStack
) -> Response:
    source = await stack.enter_async_context(aclosing(heard(deps, job)))
    try:
        came = await while_connected(request.receive, begun(source))
    except ApiError:
        visit.answered = True
        raise
    if came is None:
        return Response(status_code=_GONE)
    with_logprobs = wanted.request.options.logprobs
    return Events(events(deps, came, source, with_logprobs=with_logprobs), visit, stack.pop_all())


async def _body(deps: Deps, ended: tuple[Job | None], wanted: Wanted, visit: Visit) -> Response:
    try:
        transcript = await results.read(deps.objects, succeeded(ended[0]).id)
    except ObjectsUnavailable:
        raise  # the result is there: whoever asks again gets it
    except Exception:
        visit.answered = True
        raise
    visit.answered = True
    with_logprobs = wanted.request.options.logprobs
    body, content_type = await asyncio.to_thread(
        render, transcript, wanted.format, wanted.granularities, with_logprobs=with_logprobs
    )
    return Response(body, media_type=content_type)
