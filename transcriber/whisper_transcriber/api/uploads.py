"""An upload on its way into the object store, part by part as it arrives."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import ClientDisconnect, Request

from whisper_transcriber.api.multipart import InvalidMultipart, Part, PartReader
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import audio_key
from whisper_transcriber.objects.port import Objects
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.request.errors import ApiError, bad
from whisper_transcriber.store.port import Unavailable as StoreUnavailable

_FIELD_BYTES = 64 * 1024
_PARTS = 64
# A client that is still sending reads no answer: so much is taken from it before it is refused.
_DRAIN_BYTES = 32 * 1024**2


@dataclass
class Form:
    """The fields of a form, each with all its values, and its file once that is stored: hash (hex), size, name."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    sha256: str | None = None
    bytes: int = 0
    filename: str = ""


async def receive(request: Request, deps: Deps, job: UUID) -> Form:
    """Read a form whose part `file` becomes the audio of a job that is about to be recorded. Raises as `receive_as`."""
    limit = deps.settings.max_upload_bytes
    return await receive_as(request, deps, audio_key(job), limit, lambda: deps.store.begin_upload(job))


async def receive_as(
    request: Request, deps: Deps, key: str, max_bytes: int, begin: Callable[[], Awaitable[None]]
) -> Form:
    """Read a form whose part `file` becomes the object `key`; `begin` notes before that something is on its way.

    Raises:
        ApiError: 400 if the form is broken, has no file or several, 413 if the file is too large.
        Unavailable: PostgreSQL or the object store is away.
        Full: too many others are sending at the same time; nothing was read.
    """
    body = request.stream()
    try:
        async with deps.room.taken(_length(request)):
            await begin()
            return await _receive(request.headers.get("content-type", ""), body, deps.objects, key, max_bytes)
    except InvalidMultipart as error:
        raise bad(f"The form could not be read: {error}.", code="invalid_form") from None
    except ClientDisconnect:
        raise ApiError(400, "The client went away.", code="client_disconnected") from None
    except (ApiError, StoreUnavailable, ObjectsUnavailable):
        await _drain(body)
        raise


async def _receive(content_type: str, body: AsyncIterator[bytes], objects: Objects, key: str, max_bytes: int) -> Form:
    form, count = Form(), 0
    async for part in PartReader(content_type, body).parts():
        count += 1
        if count > _PARTS:
            raise bad(f"The form has more than {_PARTS} parts.", code="invalid_form")
        if part.name != "file":
            form.fields.setdefault(part.name.removesuffix("[]"), []).append(await _text(part))
        elif form.sha256 is not None:
            raise bad("Send one file.", "file", "invalid_form")
        else:
            form.sha256, form.bytes = await _store(part, objects, key, max_bytes)
            form.filename = part.filename or ""
    if form.sha256 is None:
        raise bad("The form has no part named `file`.", "file", "missing_required_parameter")
    return form


async def _store(part: Part, objects: Objects, key: str, max_bytes: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in part.chunks():
            size += len(chunk)
            if size > max_bytes:
                raise ApiError(413, f"The file has more than {max_bytes} bytes.", code="file_too_large", param="file")
            digest.update(chunk)
            yield chunk

    await objects.put(key, counted())
    return digest.hexdigest(), size


async def _text(part: Part) -> str:
    value = b""
    async for chunk in part.chunks():
        value += chunk
        if len(value) > _FIELD_BYTES:
            raise bad(f"The field has more than {_FIELD_BYTES} bytes.", part.name)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise bad("The field is not UTF-8.", part.name) from None


def _length(request: Request) -> int | None:
    said = request.headers.get("content-length", "")
    return int(said) if said.isdecimal() else None


async def _drain(body: AsyncIterator[bytes]) -> None:
    rest = 0
    with suppress(ClientDisconnect):
        async for chunk in body:
            rest += len(chunk)
            if rest > _DRAIN_BYTES:
                return
