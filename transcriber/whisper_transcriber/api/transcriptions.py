"""OpenAI's synchronous endpoints: a job that somebody waits for."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called, Caller, has_audio_left
from whisper_transcriber.api.errors import succeeded
from whisper_transcriber.api.openapi import TRANSCRIPTION
from whisper_transcriber.api.parameters import Wanted, transcription
from whisper_transcriber.api.streaming import begun, events, heard
from whisper_transcriber.api.uploads import receive
from whisper_transcriber.api.visits import Events, while_connected
from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import try_to_forget, until_ended
from whisper_transcriber.domain.job import Job, NewJob
from whisper_transcriber.domain.options import Task
from whisper_transcriber.render import render

router = APIRouter(prefix="/v1/audio", tags=["audio"], dependencies=[Depends(has_audio_left)])
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
    async with AsyncExitStack() as stack:
        id_ = uuid4()
        stack.push_async_callback(_forget, deps, id_)
        form = await receive(request, deps, id_)
        assert form.sha256 is not None
        wanted = transcription(form.fields, deps.models, form.sha256, task)
        new = NewJob(id_, wanted.request, tenant=who.tenant, synchronous=True, api_key=who.key)
        job, _ = await deps.store.create(new)
        await deps.bell.ring(WORK)
        if wanted.stream:
            return await _streamed(request, deps, job, wanted, stack)
        ended = await while_connected(request.receive, until_ended(deps, id_))
        return Response(status_code=_GONE) if ended is None else await _body(deps, ended, wanted)


async def _streamed(request: Request, deps: Deps, job: Job, wanted: Wanted, stack: AsyncExitStack) -> Response:
    source = await stack.enter_async_context(aclosing(heard(deps, job)))
    came = await while_connected(request.receive, begun(source))
    if came is None:
        return Response(status_code=_GONE)
    with_logprobs = wanted.request.options.logprobs
    return Events(events(deps, came, source, with_logprobs=with_logprobs), stack.pop_all())


async def _forget(deps: Deps, job: UUID) -> None:
    """Nobody will ask for the job again: its audio and text are deleted whatever happens, and its worker is stopped."""
    await asyncio.shield(try_to_forget(deps, job))


async def _body(deps: Deps, job: Job, wanted: Wanted) -> Response:
    transcript = await results.read(deps.objects, succeeded(job).id)
    with_logprobs = wanted.request.options.logprobs
    body, content_type = render(transcript, wanted.format, wanted.granularities, with_logprobs=with_logprobs)
    return Response(body, media_type=content_type)
