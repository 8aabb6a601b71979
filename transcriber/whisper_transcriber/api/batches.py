"""OpenAI's batches: made of a file, followed, listed and cancelled. Workers do the rest."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called, has_audio_left
from whisper_transcriber.api.file_objects import BATCH, whole_file
from whisper_transcriber.api.files import asked_once, file_id
from whisper_transcriber.bell.port import BATCHES
from whisper_transcriber.domain.batches import PREFIX, WINDOW_SECONDS, Batch, BatchStatus, Endpoint
from whisper_transcriber.request.errors import bad, not_found
from whisper_transcriber.request.job_parameters import Metadata
from whisper_transcriber.request.parameters import storable

router = APIRouter(prefix="/v1/batches", tags=["batches"])


class OutputExpiry(BaseModel):
    """When the files that a batch writes are deleted."""

    model_config = ConfigDict(extra="forbid")

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=30 * 86400)


class NewBatch(BaseModel):
    """The body of `POST /v1/batches`."""

    model_config = ConfigDict(extra="forbid")

    input_file_id: str = Field(min_length=1, max_length=64, description="A file of the purpose `batch`")
    endpoint: Endpoint = Field(description="What each line asks")
    completion_window: Literal["24h"]
    metadata: Annotated[Metadata, AfterValidator(storable)] | None = None
    output_expires_after: OutputExpiry | None = Field(None, description="Without it they go with the batch")


class CountsBody(BaseModel):
    """Lines: all, those done, and those that failed or were given up."""

    total: int
    completed: int
    failed: int


class ProblemBody(BaseModel):
    """What is wrong with the file."""

    code: str
    message: str
    line: int | None
    param: str | None


class ProblemList(BaseModel):
    """Why a batch failed."""

    object: Literal["list"] = "list"
    data: list[ProblemBody]


class BatchBody(BaseModel):
    """A batch. Times are Unix seconds."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: Endpoint
    errors: ProblemList | None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: BatchStatus
    output_file_id: str | None = Field(description="The answers of the lines that were done")
    error_file_id: str | None = Field(description="What became of the others")
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: CountsBody
    metadata: dict[str, str]


class BatchList(BaseModel):
    """A page of batches."""

    object: Literal["list"] = "list"
    data: list[BatchBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


async def own_batch(batch_id: str, deps: Given, who: Called) -> Batch:
    """The batch of the path, if it is the caller's; another tenant's is not there (404)."""
    id_ = uuid_of(batch_id)
    found = await deps.store.batches.get(id_) if id_ else None
    if found is None or found.tenant != who.tenant:
        raise not_found(f"There is no batch {batch_id!r}.", "batch_not_found")
    return found


OwnBatch = Annotated[Batch, Depends(own_batch)]


def uuid_of(name: str) -> UUID | None:
    """The id in a batch's name; None if it is none."""
    try:
        return UUID(name.removeprefix(PREFIX))
    except ValueError:
        return None


@router.post("", dependencies=[Depends(has_audio_left)])
async def create(asked: NewBatch, deps: Given, who: Called) -> BatchBody:
    """Make a batch of a file. Its lines are looked at by a worker, and become jobs if all are right."""
    file = await whole_file(deps, asked.input_file_id, who.tenant, "input_file_id")
    if file.purpose != BATCH:
        raise bad(f"The file's purpose is {file.purpose!r}, not {BATCH!r}.", "input_file_id", "invalid_purpose")
    now = datetime.now(UTC)
    batch = Batch(
        uuid4(),
        who.tenant,
        asked.endpoint,
        file.id,
        now,
        now + timedelta(seconds=WINDOW_SECONDS),
        asked.metadata or {},
        who.key,
        asked.output_expires_after.seconds if asked.output_expires_after else None,
    )
    await deps.store.batches.add(batch)
    await deps.bell.ring(BATCHES)
    return batch_body(batch)


@router.get("", dependencies=[Depends(asked_once)])
async def list_(
    deps: Given,
    who: Called,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[
        str | None, Query(pattern="^batch_[0-9a-f]{32}$", description="The `last_id` of the page before")
    ] = None,
) -> BatchList:
    """The tenant's batches, newest first."""
    found = await deps.store.batches.list(who.tenant, limit + 1, uuid_of(after) if after else None)
    page = [batch_body(batch) for batch in found[:limit]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return BatchList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)


@router.get("/{batch_id}")
async def get(batch: OwnBatch) -> BatchBody:
    """A batch as it stands."""
    return batch_body(batch)


@router.post("/{batch_id}/cancel")
async def cancel(batch: OwnBatch, deps: Given) -> BatchBody:
    """Cancel a batch: what is done stays, the rest is given up. One that has ended stays as it is."""
    cancelled = await deps.store.batches.cancel(batch.id)
    await deps.bell.ring(BATCHES)
    return batch_body(cancelled or batch)


def batch_body(batch: Batch) -> BatchBody:
    """A batch as JSON."""
    ended: dict[BatchStatus, str] = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}
    times: dict[str, Any] = {f"{name}_at": None for name in ("completed", "failed", "cancelled")}
    if batch.ended and batch.recorded in ended:
        times[ended[batch.recorded]] = _unix(batch.ended_at)
    problems = [ProblemBody(**vars(problem)) for problem in batch.problems]
    return BatchBody(
        id=batch.name,
        endpoint=batch.endpoint,
        errors=ProblemList(data=problems) if problems else None,
        input_file_id=file_id(batch.input_file),
        status=batch.status,
        output_file_id=file_id(batch.output_file) if batch.ended and batch.output else None,
        error_file_id=file_id(batch.error_file) if batch.ended and batch.errors else None,
        created_at=int(batch.created_at.timestamp()),
        in_progress_at=_unix(batch.in_progress_at),
        expires_at=int(batch.expires_at.timestamp()),
        finalizing_at=_unix(batch.finalizing_at),
        expired_at=_unix(batch.expired_at),
        cancelling_at=_unix(batch.cancelling_at),
        request_counts=CountsBody(total=batch.total, completed=batch.completed, failed=batch.failed),
        metadata=dict(batch.metadata),
        **times,
    )


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
