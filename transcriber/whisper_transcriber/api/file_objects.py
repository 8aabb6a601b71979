"""OpenAI's files: sent in one request, listed, read and deleted. Uploads that are completed are files, too."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called
from whisper_transcriber.api.files import FileBody, asked_once, changed, file_body, file_id
from whisper_transcriber.api.uploads import Form, receive_as
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.files import NEVER, USER_DATA, File, Segment, files_folder, segment_key
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.request.errors import ApiError, bad, not_found
from whisper_transcriber.request.files import FILE_PREFIX, read
from whisper_transcriber.store.files import Page
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)
router = APIRouter(prefix="/v1/files", tags=["files"])
BATCH: Final = "batch"
PURPOSES: Final = (BATCH, USER_DATA)
_SHORTEST, _LONGEST = 3600, 30 * 86400
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {
                            "type": "string",
                            "enum": list(PURPOSES),
                            "description": "`batch`: what a batch reads; `user_data`: audio",
                        },
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer", "minimum": _SHORTEST, "maximum": _LONGEST},
                    },
                }
            }
        },
    }
}
_CONTENT: dict[str, Any] = {
    "description": "The bytes",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


class FileList(BaseModel):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(BaseModel):
    """What is left of a file."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


def uuid_of(name: str) -> UUID | None:
    """The id in a file's name; None if it is none."""
    try:
        return UUID(name.removeprefix(FILE_PREFIX))
    except ValueError:
        return None


async def whole_file(deps: Deps, name: str, tenant: str, param: str | None = None) -> File:
    """The tenant's file of this name, if it is there whole. Raises ApiError (404)."""
    id_ = uuid_of(name)
    found = await deps.store.files.get(id_) if id_ else None
    there = found is not None and found.tenant == tenant and found.status == "completed"
    if found is None or not there or found.expires_at < datetime.now(UTC):
        raise not_found(f"There is no file {name!r}.", "file_not_found", param)
    return found


async def own_file(file_id: str, deps: Given, who: Called) -> File:
    """The file of the path, if it is the caller's; another tenant's is not there (404)."""
    return await whole_file(deps, file_id, who.tenant)


OwnFile = Annotated[File, Depends(own_file)]


@router.post("", openapi_extra=_FORM)
async def create(request: Request, deps: Given, who: Called) -> FileBody:
    """Send a file. It is streamed into the object store as it comes."""
    now, segment = datetime.now(UTC), uuid4()
    file = File(uuid4(), who.tenant, "whole", 0, now, now + timedelta(seconds=deps.settings.upload_seconds))
    limit = max(deps.settings.max_upload_bytes, deps.settings.batch_max_bytes)
    saved = None
    try:
        form = await receive_as(request, deps, segment_key(file.id, segment), limit, lambda: deps.store.files.add(file))
        stored = (Segment(segment, form.bytes),)
        about = _about(form, deps, now)
        saved = await changed(deps, file, status="completed", bytes=form.bytes, segments=stored, **about)
    finally:
        if saved is None:
            await asyncio.shield(_give_up(deps, file.id))
    assert saved is not None, "nobody else knows it"
    return file_body(saved)


@router.get("", dependencies=[Depends(asked_once)])
async def list_(
    deps: Given,
    who: Called,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    after: Annotated[
        str | None, Query(pattern="^file-[0-9a-f]{32}$", description="The `last_id` of the page before")
    ] = None,
    order: Literal["asc", "desc"] = "desc",
    purpose: Annotated[str | None, Query(max_length=64)] = None,
) -> FileList:
    """The tenant's files, newest first unless `order` is `asc`."""
    page_of = Page(limit + 1, uuid_of(after) if after else None, purpose, order == "desc")
    found = await deps.store.files.list(who.tenant, page_of)
    page = [file_body(file) for file in found[:limit]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return FileList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)


@router.get("/{file_id}")
async def get(file: OwnFile) -> FileBody:
    """A file."""
    return file_body(file)


@router.get("/{file_id}/content", response_class=Response, responses={200: _CONTENT})
async def content(file: OwnFile, deps: Given) -> Response:
    """The bytes of a file."""
    body = read(deps, file)
    try:
        begun = await anext(body, b"")
    except Missing:
        raise not_found(f"The file {file_id(file.id)!r} was deleted.", "file_not_found") from None
    length = {"content-length": str(sum(segment.bytes for segment in file.segments))}
    return StreamingResponse(_sent(begun, body), media_type="application/octet-stream", headers=length)


@router.delete("/{file_id}")
async def delete(file: OwnFile, deps: Given) -> Deleted:
    """Delete a file with its bytes."""
    await drop(deps, file.id)
    return Deleted(id=file_id(file.id))


async def drop(deps: Deps, file: UUID) -> None:
    """Delete a file. The row goes last: whoever is cut short in between can repeat it."""
    await deps.objects.delete_folder(files_folder(file))
    await deps.store.files.delete(file)


async def _sent(begun: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield begun
        async for chunk in rest:
            yield chunk


async def _give_up(deps: Deps, file: UUID) -> None:
    try:
        await drop(deps, file)
    except (Unavailable, ObjectsUnavailable) as error:
        log.warning("Could not delete a file, left it to the sweep", file=file, reason=str(error))


def _about(form: Form, deps: Deps, now: datetime) -> dict[str, Any]:
    """What the form says of its file. Raises ApiError (400, 413)."""
    fields = _once(form.fields)
    purpose = fields.pop("purpose", "")
    if purpose not in PURPOSES:
        raise bad(f"purpose must be one of {', '.join(PURPOSES)}.", "purpose")
    settings = deps.settings
    limit = settings.batch_max_bytes if purpose == BATCH else settings.max_upload_bytes
    if form.bytes > limit:
        raise ApiError(413, f"The file has more than {limit} bytes.", code="file_too_large", param="file")
    expires_at = _expiry(fields, now, settings.file_seconds)
    if fields:
        name = next(iter(fields))
        raise bad(f"The parameter {name!r} is not supported here.", name, "unsupported_parameter")
    return {"purpose": purpose, "filename": form.filename.replace("\0", "")[:1024], "expires_at": expires_at}


def _once(fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    for name, values in fields.items():
        if len(values) > 1:
            raise bad(f"The parameter {name!r} is given more than once.", name)
    return {name: values[0] for name, values in fields.items()}


def _expiry(fields: dict[str, str], now: datetime, default: float) -> datetime:
    anchor, seconds = fields.pop("expires_after[anchor]", None), fields.pop("expires_after[seconds]", None)
    if anchor is None and seconds is None:
        return now + timedelta(seconds=default) if default else NEVER
    if anchor != "created_at":
        raise bad("The anchor is created_at.", "expires_after[anchor]")
    if seconds is None or not seconds.isdecimal() or not _SHORTEST <= int(seconds) <= _LONGEST:
        raise bad(f"The seconds are {_SHORTEST} to {_LONGEST}.", "expires_after[seconds]")
    return now + timedelta(seconds=int(seconds))
