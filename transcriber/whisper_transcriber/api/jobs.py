"""Jobs: made, followed, cancelled, deleted, and their results."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.admission import has_queue_left
from whisper_transcriber.api.bodies import JobBody, JobList, job_body
from whisper_transcriber.api.callers import Called, Caller, OwnJob, has_audio_left, unknown_job
from whisper_transcriber.api.files import file_of
from whisper_transcriber.api.openapi import JOB
from whisper_transcriber.api.uploads import receive
from whisper_transcriber.api.webhooks import check
from whisper_transcriber.bell.port import HOOKS, WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import forget, try_to_forget
from whisper_transcriber.domain.job import Job, NewJob, Status, result_key
from whisper_transcriber.logs import bind
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.render import Format, Granularity, render
from whisper_transcriber.request.errors import ApiError, bad, not_found
from whisper_transcriber.request.files import assemble
from whisper_transcriber.request.job_parameters import Asked, JobChange, body_of_json, job_of_body, job_of_form
from whisper_transcriber.store.port import Filters, IdempotencyMismatch

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
_JSON_BYTES = 1024**2
_TEXT = {"schema": {"type": "string"}}
_RESULT: dict[str, Any] = {
    "description": "The transcript in the format that was asked for",
    "content": {"application/json": {"schema": {"type": "object"}}, "text/plain": _TEXT, "text/vtt": _TEXT},
}
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@router.post(
    "",
    status_code=201,
    openapi_extra=JOB,
    responses={200: {"model": JobBody}},
    dependencies=[Depends(has_audio_left), Depends(has_queue_left)],
)
async def create(request: Request, response: Response, deps: Given, who: Called, key: Key = None) -> JobBody:
    """Record a job: 201, or 200 with the job that the Idempotency-Key stands for already.

    Where the tenant has the result for the same audio and options already, it is taken over and the job is done.
    """
    id_ = uuid4()
    async with _kept_if_recorded(deps, id_) as kept:
        asked, size = await _asked(request, deps, who, id_)
        check(asked.webhook, deps.settings)
        before = await _taken_over(deps, who, id_, asked) if asked.reuse else None
        given = (id_, asked.request, key, who.tenant, False, asked.metadata, who.key, before, asked.webhook)
        new = NewJob(*given, deps.tracing.here(), asked.output, size)
        try:
            job, created = await deps.store.create(new)
        except IdempotencyMismatch:
            message = "The Idempotency-Key was used before, for another request. Send a new key for a new request."
            raise ApiError(422, message, code="idempotency_mismatch", param="Idempotency-Key") from None
        kept.append(created)
    bind(job=str(job.id))
    await deps.bell.ring(HOOKS if job.ended else WORK)
    response.status_code = 201 if created else 200
    return job_body(job)


@router.get("")
async def list_(
    deps: Given,
    who: Called,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[UUID | None, Query(description="The `last_id` of the page before")] = None,
    status: Status | None = None,
    model: Annotated[str | None, Query(max_length=255)] = None,
    created_after: Annotated[AwareDatetime | None, Query(description="RFC 3339, or Unix seconds")] = None,
    created_before: Annotated[AwareDatetime | None, Query(description="The same; not itself in the range")] = None,
    metadata: Annotated[
        list[Annotated[str, Field(pattern=":")]] | None,
        Query(max_length=16, description="`name:text`; several must all be there"),
    ] = None,
) -> JobList:
    """The tenant's jobs, newest first."""
    pairs = (each.partition(":") for each in metadata or ())
    wanted = {name: value for name, _, value in pairs}
    named = deps.models.find(model) if model else None
    filters = Filters(who.tenant, status, named.name if named else model, created_after, created_before, wanted)
    found = await deps.store.list(limit + 1, after, filters)
    page = [job_body(job) for job in found[:limit]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return JobList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)


@router.get("/{job_id}")
async def get(job: OwnJob, deps: Given) -> JobBody:
    """A job as it stands."""
    return await _with_outlook(deps, job)


@router.patch("/{job_id}")
async def change(job: OwnJob, deps: Given, asked: JobChange) -> JobBody:
    """Change the priority or the metadata of a job; what has begun goes on."""
    changed = await deps.store.change(job.id, priority=asked.priority, metadata=asked.metadata)
    return await _with_outlook(deps, _found(changed, job.id))


@router.get("/{job_id}/result", response_class=Response, responses={200: _RESULT})
async def result(job: OwnJob, deps: Given, format: Format = "json") -> Response:
    """The transcript of a job that has succeeded; 425 before that, 400 with the reason if it never will."""
    if job.failure is not None:
        raise bad(job.failure.message, None, job.failure.code)
    if job.status == "cancelled":
        raise bad("The job was cancelled.", None, "cancelled")
    if job.status != "succeeded":
        raise ApiError(425, f"The job is {job.status}; its result is not there yet.", code="not_finished")
    try:
        transcript = await results.read(deps.objects, job.id)
    except Missing:
        raise not_found("The result was deleted.", "result_not_found") from None
    granularities: tuple[Granularity, ...] = (
        ("segment", "word") if job.request.options.word_timestamps else ("segment",)
    )
    body, content_type = await asyncio.to_thread(render, transcript, format, granularities)
    return Response(body, media_type=content_type)


@router.post("/{job_id}/cancel")
async def cancel(job: OwnJob, deps: Given) -> JobBody:
    """Cancel a job, at once; one that has ended stays as it is."""
    cancelled = _found(await deps.store.cancel(job.id), job.id)
    await deps.bell.ring(ended(job.id))
    if job.webhook is not None:
        await deps.bell.ring(HOOKS)
    return job_body(cancelled)


@router.post("/{job_id}/retry")
async def retry(job: OwnJob, deps: Given) -> JobBody:
    """Queue a job anew that has failed or was cancelled; its audio is still there."""
    if job.status not in ("failed", "cancelled"):
        raise bad(
            f"The job is {job.status}: only one that failed or was cancelled is done again.", None, "not_retryable"
        )
    queued = _found(await deps.store.retry(job.id), job.id)
    await deps.bell.ring(WORK)
    return await _with_outlook(deps, queued)


@router.delete("/{job_id}", status_code=204)
async def delete(job: OwnJob, deps: Given) -> Response:
    """Delete a job with its audio and its transcript; one that runs is stopped."""
    if not await forget(deps, job.id):
        raise unknown_job(job.id)
    return Response(status_code=204)


async def _with_outlook(deps: Deps, job: Job) -> JobBody:
    outlook = None if job.ended else await deps.store.outlook(job.id)
    return job_body(job, outlook, datetime.now(UTC))


async def _asked(request: Request, deps: Deps, who: Caller, job: UUID) -> tuple[Asked, int | None]:
    """What a request asks for, and how many bytes its upload has."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await receive(request, deps, job)
        assert form.sha256 is not None
        return job_of_form(form.fields, deps.models, form.sha256), form.bytes
    if kind == "application/json":
        body = body_of_json(await _body(request))
        upload = body.source.upload
        file = await file_of(deps, upload.id, who.tenant) if upload else None
        asked = job_of_body(body, deps.models, await assemble(deps, file, job) if file else None)
        return asked, file.bytes if file else None
    raise ApiError(415, "Send multipart/form-data or application/json.", code="unsupported_media_type")


async def _taken_over(deps: Deps, who: Caller, id_: UUID, asked: Asked) -> UUID | None:
    """The tenant's job that has the result for the same audio already, once the result is copied; None if none has."""
    before = await deps.store.reusable(who.tenant, asked.request.fingerprint) if asked.request.sha256 else None
    if before is None:
        return None
    try:
        await deps.objects.put(result_key(id_), deps.objects.get(result_key(before.id)))
    except Missing:
        return None
    return before.id


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _JSON_BYTES:
            raise ApiError(413, f"The body has more than {_JSON_BYTES} bytes.", code="body_too_large")
    return body


@asynccontextmanager
async def _kept_if_recorded(deps: Deps, job: UUID) -> AsyncIterator[list[bool]]:
    """Delete what was uploaded unless a True is left in the list: no row points at it."""
    kept: list[bool] = []
    try:
        yield kept
    finally:
        if not any(kept):
            await asyncio.shield(try_to_forget(deps, job))


def _found(job: Job | None, job_id: UUID) -> Job:
    if job is None:
        raise unknown_job(job_id)
    return job
