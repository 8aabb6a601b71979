"""Jobs: made, followed, cancelled, deleted, and their results."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.bodies import JobBody, JobList, job_body
from whisper_transcriber.api.errors import ApiError, bad, not_found
from whisper_transcriber.api.openapi import JOB
from whisper_transcriber.api.parameters import job_of_form, job_of_json
from whisper_transcriber.api.uploads import receive
from whisper_transcriber.bell.port import WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import forget, try_to_forget
from whisper_transcriber.domain.job import Job, JobRequest, NewJob, Status
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.render import Format, Granularity, render
from whisper_transcriber.store.port import IdempotencyMismatch

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
_JSON_BYTES = 1024**2
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@router.post("", status_code=201, openapi_extra=JOB, responses={200: {"model": JobBody}})
async def create(request: Request, response: Response, deps: Given, key: Key = None) -> JobBody:
    """Record a job: 201, or 200 with the job that the Idempotency-Key stands for already."""
    id_ = uuid4()
    async with _kept_if_recorded(deps, id_) as kept:
        asked = await _asked(request, deps, id_)
        try:
            job, created = await deps.store.create(NewJob(id_, asked, key))
        except IdempotencyMismatch:
            message = "The Idempotency-Key was used before, for another request."
            raise bad(message, "Idempotency-Key", "idempotency_mismatch") from None
        kept.append(created)
    await deps.bell.ring(WORK)
    response.status_code = 201 if created else 200
    return job_body(job)


@router.get("")
async def list_(
    deps: Given,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: UUID | None = None,
    status: Status | None = None,
) -> JobList:
    """Jobs, newest first."""
    found = await deps.store.list(limit + 1, after, status)
    page = [job_body(job) for job in found[:limit]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return JobList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)


@router.get("/{job_id}")
async def get(job_id: UUID, deps: Given) -> JobBody:
    """A job as it stands."""
    return job_body(_found(await deps.store.get(job_id), job_id))


@router.get("/{job_id}/result")
async def result(job_id: UUID, deps: Given, format: Format = "json") -> Response:
    """The transcript of a job that has succeeded; 425 before that, 400 with the reason if it never will."""
    job = _found(await deps.store.get(job_id), job_id)
    if job.failure is not None:
        raise bad(job.failure.message, None, job.failure.code)
    if job.status == "cancelled":
        raise bad("The job was cancelled.", None, "cancelled")
    if job.status != "succeeded":
        raise ApiError(425, f"The job is {job.status}; its result is not there yet.", code="not_finished")
    try:
        transcript = await results.read(deps.objects, job_id)
    except Missing:
        raise not_found("The result was deleted.", "result_not_found") from None
    granularities: tuple[Granularity, ...] = (
        ("segment", "word") if job.request.options.word_timestamps else ("segment",)
    )
    body, content_type = render(transcript, format, granularities)
    return Response(body, media_type=content_type)


@router.post("/{job_id}/cancel")
async def cancel(job_id: UUID, deps: Given) -> JobBody:
    """Cancel a job, at once; one that has ended stays as it is."""
    job = _found(await deps.store.cancel(job_id), job_id)
    await deps.bell.ring(ended(job_id))
    return job_body(job)


@router.delete("/{job_id}", status_code=204)
async def delete(job_id: UUID, deps: Given) -> Response:
    """Delete a job with its audio and its transcript; one that runs is stopped."""
    if not await forget(deps, job_id):
        raise _unknown(job_id)
    return Response(status_code=204)


async def _asked(request: Request, deps: Deps, job: UUID) -> JobRequest:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await receive(request, deps, job)
        assert form.sha256 is not None
        return job_of_form(form.fields, deps.models, form.sha256)
    if kind == "application/json":
        return job_of_json(await _body(request), deps.models)
    raise ApiError(415, "Send multipart/form-data or application/json.", code="unsupported_media_type")


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
        raise _unknown(job_id)
    return job


def _unknown(job_id: UUID) -> ApiError:
    return not_found(f"There is no job {job_id}.", "job_not_found")
