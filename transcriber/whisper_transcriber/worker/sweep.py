"""What an API process that died left behind: uploads without a job, and jobs that nobody waits for any more."""

import asyncio
from contextlib import suppress

from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.jobs import forget
from whisper_transcriber.domain.batches import Batch, batch_folder
from whisper_transcriber.domain.files import files_folder
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)


async def sweeping(deps: Deps, stop: asyncio.Event) -> None:
    """Sweep now and then until `stop`. Workers may sweep at once: deleting twice does no harm."""
    while not stop.is_set():
        try:
            await sweep(deps)
        except (Unavailable, ObjectsUnavailable) as error:
            log.warning("Could not sweep, trying again later", reason=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), deps.settings.sweep_seconds)


async def sweep(deps: Deps) -> None:
    """Delete what nobody will ask for again, with its objects. The bucket is not searched: others may use it too."""
    for file in await deps.store.files.expired():
        await deps.objects.delete_folder(files_folder(file))
        await deps.store.files.delete(file)
    settings = deps.settings
    limits = (settings.upload_seconds, settings.synchronous_seconds, settings.retention_seconds or None)
    for batch in await deps.store.batches.abandoned(settings.retention_seconds or None):
        await _forget_batch(deps, batch)
    for job in await deps.store.abandoned(*limits):
        await forget(deps, job)
        log.info("Deleted what nobody will ask for again", job=job)


async def _forget_batch(deps: Deps, batch: Batch) -> None:
    """Delete a batch with what it wrote. The row goes last: whoever is cut short in between repeats it."""
    for file in (batch.output_file, batch.error_file):
        await deps.objects.delete_folder(files_folder(file))
        await deps.store.files.delete(file)
    await deps.objects.delete_folder(batch_folder(batch.id))
    await deps.store.batches.delete(batch.id)
    log.info("Deleted a batch that was kept long enough", batch=batch.name)
