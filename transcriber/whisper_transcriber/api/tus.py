"""Resumable uploads by tus 1.0: creation, expiration, termination, checksum. What arrived is kept, 16 MiB at a time."""

import base64
import hashlib
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called
from whisper_transcriber.api.files import OwnFile, changed, name_of, new_file, put_segment
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.files import USER_DATA, File, Segment, files_folder
from whisper_transcriber.request.errors import ApiError, bad

router = APIRouter(prefix="/v1/tus", tags=["uploads"])
_SEGMENT = 16 * 1024**2
_VERSION = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
_CHECKSUMS = ("sha1", "sha256", "md5")
Length = Annotated[int, Header(alias="Upload-Length", ge=0, le=2**62)]
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, le=2**62)]


@router.options("")
async def options(deps: Given) -> Response:
    """What this server can."""
    can = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,expiration,termination,checksum",
        "Tus-Checksum-Algorithm": ",".join(_CHECKSUMS),
        "Tus-Max-Size": str(deps.settings.max_upload_bytes),
    }
    return Response(status_code=204, headers=_VERSION | can)


@router.post("", status_code=201)
async def create(
    deps: Given,
    who: Called,
    length: Length,
    metadata: Annotated[str, Header(alias="Upload-Metadata", max_length=4096)] = "",
) -> Response:
    """Begin an upload; its Location is where it goes on."""
    _check_metadata(metadata)
    file = new_file(deps, who.tenant, "tus", length, metadata=metadata, purpose=USER_DATA)
    if length == 0:
        raise bad("An empty file is no audio.", "Upload-Length")
    await deps.store.files.add(file)
    headers = _VERSION | {"Location": f"/v1/tus/{name_of(file)}"} | _expires(file)
    return Response(status_code=201, headers=headers)


@router.head("/{upload_id}")
async def head(file: OwnFile) -> Response:
    """How much of it is there."""
    told = {"Upload-Offset": str(file.received), "Upload-Length": str(file.bytes)}
    if file.metadata:
        told["Upload-Metadata"] = file.metadata
    return Response(status_code=200, headers=_VERSION | told | _expires(file))


@router.patch("/{upload_id}", status_code=204)
async def patch(
    request: Request,
    file: OwnFile,
    deps: Given,
    offset: Offset,
    checksum: Annotated[str | None, Header(alias="Upload-Checksum", max_length=255)] = None,
) -> Response:
    """Go on with it. Where the client goes away, what had arrived stays; with a checksum, only the whole counts."""
    if request.headers.get("content-type") != "application/offset+octet-stream":
        raise ApiError(415, "Send application/offset+octet-stream.", code="unsupported_media_type")
    if file.kind != "tus" or file.status == "cancelled":
        raise bad("This upload does not go on by tus.", "upload_id")
    if offset != file.received:
        raise ApiError(409, f"The upload is at {file.received}, not {offset}.", code="wrong_offset")
    digest, wanted = _digest(checksum)
    body = _Body(request, file.bytes - offset, digest)
    pending: list[Segment] = []
    while await body.more():
        segment = await put_segment(deps, file, body.segment())
        pending.append(segment)
        if not wanted:
            file, pending = await _recorded(deps, file, pending), []
    if wanted:
        if body.broken or digest.digest() != wanted:
            raise ApiError(460, "The checksum is not that of the body.", code="checksum_mismatch")
        file = await _recorded(deps, file, pending)
    headers = _VERSION | {"Upload-Offset": str(file.received)} | _expires(file)
    return Response(status_code=204, headers=headers)


@router.delete("/{upload_id}", status_code=204)
async def delete(file: OwnFile, deps: Given) -> Response:
    """Delete an upload with all that arrived."""
    await deps.objects.delete_folder(files_folder(file.id))
    await deps.store.files.delete(file.id)
    return Response(status_code=204, headers=_VERSION)


class _Body:
    """A request's body in stretches of a segment; nothing but the chunk that just came is held."""

    def __init__(self, request: Request, most: int, digest: Any) -> None:
        self._stream = request.stream()
        self._left = most
        self._digest = digest
        self._next = b""
        self.broken = False

    async def more(self) -> bool:
        """Whether anything is left. Raises ApiError (413) for more than the upload takes."""
        while not self._next and not self.broken:
            try:
                chunk = await anext(self._stream, None)
            except ClientDisconnect:
                chunk, self.broken = None, True
            if chunk is None:
                return False
            if len(chunk) > self._left:
                raise ApiError(413, "The body goes beyond Upload-Length.", code="file_too_large")
            self._left -= len(chunk)
            self._digest.update(chunk)
            self._next = chunk
        return bool(self._next)

    async def segment(self) -> AsyncIterator[bytes]:
        size = 0
        while size < _SEGMENT and await self.more():
            chunk, self._next = self._next, b""
            size += len(chunk)
            yield chunk


async def _recorded(deps: Deps, file: File, segments: list[Segment]) -> File:
    whole = (*file.segments, *segments)
    complete = sum(segment.bytes for segment in whole) == file.bytes
    saved = await changed(deps, file, segments=whole, status="completed" if complete else "pending")
    if saved is None:
        raise ApiError(409, "Another request goes on with this upload.", code="wrong_offset")
    return saved


def _check_metadata(metadata: str) -> None:
    """Raises ApiError (400) unless it is `name base64,name base64`, each name once; a value may be missing."""
    names = set()
    for pair in metadata.split(",") if metadata else ():
        name, _, value = pair.strip().partition(" ")
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            name = ""
        if not name or name in names:
            message = f"A name without spaces and its value in base64 is expected, each name once, not {pair!r}."
            raise bad(message, "Upload-Metadata")
        names.add(name)


def _digest(checksum: str | None) -> tuple[Any, bytes]:
    """What is to be computed, and what it should be; nothing if nobody asks."""
    if checksum is None:
        return hashlib.sha1(usedforsecurity=False), b""
    name, _, text = checksum.partition(" ")
    if name not in _CHECKSUMS:
        raise bad(f"The checksum must be one of {', '.join(_CHECKSUMS)}.", "Upload-Checksum")
    try:
        return hashlib.new(name, usedforsecurity=False), base64.b64decode(text, validate=True) or b"?"
    except ValueError:
        raise bad("The checksum is not base64.", "Upload-Checksum") from None


def _expires(file: File) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(file.expires_at, usegmt=True)}
