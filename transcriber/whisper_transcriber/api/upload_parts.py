"""OpenAI's uploads: parts in any order and at once, put into one file at the end."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called
from whisper_transcriber.api.files import FileBody, OwnFile, changed, file_body, name_of, new_file, put_segment
from whisper_transcriber.api.multipart import InvalidMultipart, PartReader
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.files import File, Segment, segment_key
from whisper_transcriber.request.errors import ApiError, bad
from whisper_transcriber.request.parameters import Storable

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])
_PART = "part_"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"data": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class NewUploadBody(BaseModel):
    """An upload to be begun."""

    bytes: int = Field(ge=1, le=2**62)
    filename: Storable = Field(max_length=1024)
    purpose: Storable = Field(max_length=64)
    mime_type: Storable = Field(max_length=255)


class CompleteBody(BaseModel):
    """Which parts, in which order."""

    part_ids: list[str] = Field(min_length=1, max_length=10_000)
    md5: str | None = Field(None, description="Of the whole file (hex)")


class UploadBody(BaseModel):
    """An upload. Times are Unix seconds."""

    id: str
    object: Literal["upload"] = "upload"
    status: Literal["pending", "completed", "cancelled"]
    bytes: int
    received_bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    file: FileBody | None


class PartBody(BaseModel):
    """A part that is stored."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    upload_id: str
    created_at: int


@router.post("")
async def create(asked: NewUploadBody, deps: Given, who: Called) -> UploadBody:
    """Begin an upload."""
    about = {"filename": asked.filename, "purpose": asked.purpose, "mime_type": asked.mime_type}
    file = new_file(deps, who.tenant, "parts", asked.bytes, **about)
    await deps.store.files.add(file)
    return _body(file)


@router.get("/{upload_id}")
async def get(file: OwnFile) -> UploadBody:
    """An upload as it stands, by tus too."""
    return _body(file)


@router.post("/{upload_id}/parts", openapi_extra=_FORM)
async def add_part(request: Request, file: OwnFile, deps: Given) -> PartBody:
    """Add a part. Parts may come at once; one that breaks off leaves nothing."""
    _pending(file)
    segment = await _stored(request, deps, file)
    for _ in range(100):
        if file.received + segment.bytes > file.bytes:
            raise ApiError(413, f"The parts have more than {file.bytes} bytes.", code="file_too_large", param="data")
        if await changed(deps, file, segments=(*file.segments, segment)) is not None:
            now = int(datetime.now(UTC).timestamp())
            return PartBody(id=f"{_PART}{segment.id.hex}", upload_id=name_of(file), created_at=now)
        await asyncio.sleep(0.01)
        file = _pending(await deps.store.files.get(file.id))
    raise ApiError(503, "Too many parts at once.", code="unavailable")


@router.post("/{upload_id}/complete")
async def complete(asked: CompleteBody, file: OwnFile, deps: Given) -> UploadBody:
    """Put the parts into one file, which a job can name as its source."""
    _pending(file)
    known = {f"{_PART}{segment.id.hex}": segment for segment in file.segments}
    unknown = [name for name in asked.part_ids if name not in known]
    if unknown or len(set(asked.part_ids)) != len(asked.part_ids):
        raise bad("Each part must be one of this upload, named once.", "part_ids")
    ordered = tuple(known[name] for name in asked.part_ids)
    size = sum(segment.bytes for segment in ordered)
    if size != file.bytes:
        raise bad(f"The parts have {size} bytes, and the upload was to have {file.bytes}.", "part_ids")
    if asked.md5 is not None and asked.md5.lower() != await _md5(deps, file, ordered):
        raise bad("The file's MD5 is another one.", "md5")
    saved = await changed(deps, file, segments=ordered, status="completed")
    if saved is None:
        raise bad("The upload changed meanwhile: a part came late.", "part_ids")
    return _body(saved)


@router.post("/{upload_id}/cancel")
async def cancel(file: OwnFile, deps: Given) -> UploadBody:
    """Give an upload up; nothing can be added to it any more."""
    _pending(file)
    saved = await changed(deps, file, status="cancelled")
    if saved is None:
        raise bad("The upload changed meanwhile.", "upload_id")
    return _body(saved)


def _pending(file: File | None) -> File:
    if file is None or file.status != "pending" or file.kind != "parts":
        raise bad("The upload takes no parts: it is completed, cancelled, or goes on by tus.", "upload_id")
    return file


async def _stored(request: Request, deps: Deps, file: File) -> Segment:
    found: Segment | None = None
    try:
        async for part in PartReader(request.headers.get("content-type", ""), request.stream()).parts():
            if part.name == "data" and found is None:
                found = await put_segment(deps, file, part.chunks())
    except InvalidMultipart as error:
        raise bad(f"The form could not be read: {error}.", code="invalid_form") from None
    if found is None:
        raise bad("The form has no part named `data`.", "data", "missing_required_parameter")
    return found


async def _md5(deps: Deps, file: File, segments: tuple[Segment, ...]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for segment in segments:
        async for chunk in deps.objects.get(segment_key(file.id, segment.id)):
            digest.update(chunk)
    return digest.hexdigest()


def _body(file: File) -> UploadBody:
    times = {"created_at": int(file.created_at.timestamp()), "expires_at": int(file.expires_at.timestamp())}
    about: dict[str, Any] = {"bytes": file.bytes, "filename": file.filename, "purpose": file.purpose, **times}
    whole = file_body(file) if file.status == "completed" else None
    return UploadBody(id=name_of(file), status=file.status, received_bytes=file.received, file=whole, **about)
