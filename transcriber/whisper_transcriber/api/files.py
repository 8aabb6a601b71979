"""What all ways to send a file share: whose it is, its pieces on their way, and the whole of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.files import NEVER, USER_DATA, File, Kind, Segment, segment_key
from whisper_transcriber.request.errors import ApiError, bad, not_found
from whisper_transcriber.request.files import FILE_PREFIX, PREFIX


class FileBody(BaseModel):
    """A file that is there, whole. Times are Unix seconds."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = Field(description="null: when it is deleted")
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"


async def asked_once(request: Request) -> None:
    """A dependency: no parameter of the query is given twice. Raises ApiError (400)."""
    for name in set(request.query_params):
        if len(request.query_params.getlist(name)) > 1:
            raise bad(f"The parameter {name!r} is given more than once.", name)


def new_file(deps: Deps, tenant: str, kind: Kind, size: int, **about: Any) -> File:
    """An upload that is about to begin. Raises ApiError (413)."""
    if size > deps.settings.max_upload_bytes:
        message = f"The file has more than {deps.settings.max_upload_bytes} bytes."
        raise ApiError(413, message, code="file_too_large", param="bytes")
    now = datetime.now(UTC)
    return File(uuid4(), tenant, kind, size, now, now + timedelta(seconds=deps.settings.upload_seconds), **about)


async def file_of(deps: Deps, name: str, tenant: str) -> File:
    """The tenant's upload of this name. Raises ApiError (404)."""
    try:
        found = await deps.store.files.get(UUID(name.removeprefix(PREFIX).removeprefix(FILE_PREFIX)))
    except ValueError:
        found = None
    if found is None or found.tenant != tenant or found.expires_at < datetime.now(UTC):
        raise not_found(f"There is no upload {name!r}.", "upload_not_found")
    return found


async def own_file(upload_id: str, deps: Given, who: Called) -> File:
    """The upload of the path, if it is the caller's; another tenant's is not there (404)."""
    return await file_of(deps, upload_id, who.tenant)


OwnFile = Annotated[File, Depends(own_file)]


def name_of(file: File) -> str:
    """What clients call an upload."""
    return f"{PREFIX}{file.id.hex}"


def file_body(file: File) -> FileBody:
    """A completed file as JSON."""
    return FileBody(
        id=file_id(file.id),
        bytes=file.bytes,
        created_at=int(file.created_at.timestamp()),
        expires_at=None if file.expires_at >= NEVER else int(file.expires_at.timestamp()),
        filename=file.filename,
        purpose=file.purpose or USER_DATA,
    )


def file_id(file: UUID) -> str:
    """What clients call a file that is whole."""
    return f"{FILE_PREFIX}{file.hex}"


async def put_segment(deps: Deps, file: File, chunks: AsyncIterator[bytes]) -> Segment:
    """Store the chunks as one segment, which nothing knows of yet. Raises Full."""
    id_ = uuid4()
    async with deps.room.taken(None):
        return Segment(id_, await deps.objects.put(segment_key(file.id, id_), chunks))


async def changed(deps: Deps, file: File, **fields: object) -> File | None:
    """Change the upload, if nobody did since it was read."""
    return await deps.store.files.save(replace(file, **fields))  # type: ignore[arg-type]
