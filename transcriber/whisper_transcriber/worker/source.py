"""A job's audio as a file of this worker: from the object store, or from a URL by way of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Job, audio_key
from whisper_transcriber.domain.outputs import SCHEME
from whisper_transcriber.fetch.http import Limits, fetch
from whisper_transcriber.fetch.s3 import fetch_s3
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.worker.hold import Hold


@asynccontextmanager
async def audio_file(deps: Deps, job: Job, hold: Hold) -> AsyncIterator[Path]:
    """The audio of a job; the file is gone after the block. Disk is bounded by the size limit, memory is flat.

    Raises:
        FetchFailed: the URL did not give it.
        Missing: the upload is gone from the object store.
    """
    with TemporaryDirectory(prefix="whisper-", dir=deps.settings.scratch) as folder:
        path = Path(folder) / "audio"
        with deps.tracing.span("fetch audio"):
            if job.request.source_url is not None and not await _there(deps, job):
                await _keep(deps, job, job.request.source_url, hold)
            await _read(deps, job, hold, path)
        yield path


async def _read(deps: Deps, job: Job, hold: Hold, path: Path) -> None:
    with deps.metrics.stage_seconds.labels("fetch").time(), path.open("wb") as file:
        async with aclosing(deps.objects.get(audio_key(job.id))) as chunks:
            async for chunk in chunks:
                hold.check()
                await asyncio.to_thread(file.write, chunk)


async def _there(deps: Deps, job: Job) -> bool:
    """Whether an earlier attempt has fetched it: objects are whole or not there at all."""
    try:
        async with aclosing(deps.objects.get(audio_key(job.id))) as chunks:
            await anext(chunks, None)
    except Missing:
        return False
    return True


async def _keep(deps: Deps, job: Job, url: str, hold: Hold) -> None:
    settings = deps.settings
    limits = Limits(
        settings.max_upload_bytes,
        settings.fetch_timeout_seconds,
        settings.fetch_allow_private,
        authorities=settings.fetch_ca,
    )
    s3 = url.startswith(SCHEME)
    async with aclosing(fetch_s3(url, job.tenant, settings.s3_sources, limits) if s3 else fetch(url, limits)) as body:
        await deps.objects.put(audio_key(job.id), _checked(body, hold))


async def _checked(body: AsyncIterator[bytes], hold: Hold) -> AsyncIterator[bytes]:
    async for chunk in body:
        hold.check()
        yield chunk
