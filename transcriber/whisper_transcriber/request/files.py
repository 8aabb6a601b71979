"""Files that requests name: what they are called, and their bytes."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from uuid import UUID

from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.files import File, segment_key
from whisper_transcriber.domain.job import audio_key
from whisper_transcriber.request.errors import bad

PREFIX, FILE_PREFIX = "upload_", "file-"


async def read(deps: Deps, file: File) -> AsyncGenerator[bytes, None]:
    """The bytes of a file, in chunks. Raises Missing."""
    for segment in file.segments:
        async with aclosing(deps.objects.get(segment_key(file.id, segment.id))) as chunks:
            async for chunk in chunks:
                yield chunk


async def assemble(deps: Deps, file: File, job: UUID) -> str:
    """Write a complete upload as the audio of a job; returns its hash (hex). Raises ApiError (400), Full."""
    if file.status != "completed":
        raise bad(f"The upload is {file.status}, not completed.", "source.upload.id", "upload_not_completed")
    digest = hashlib.sha256()

    async def whole() -> AsyncIterator[bytes]:
        for segment in file.segments:
            async for chunk in deps.objects.get(segment_key(file.id, segment.id)):
                digest.update(chunk)
                yield chunk

    async with deps.room.taken(file.bytes):
        await deps.store.begin_upload(job)
        await deps.objects.put(audio_key(job), whole())
    return digest.hexdigest()
