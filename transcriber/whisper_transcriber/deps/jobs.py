"""What the API and the worker do with jobs through more than one port."""

import asyncio
from uuid import UUID

from whisper_transcriber.bell.port import ended as ended_topic
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.looks import until_next
from whisper_transcriber.domain.job import Job, folder
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)


async def until_ended(deps: Deps, job: UUID) -> Job | None:
    """The job once it has ended, None if it was deleted. Waits as long as that takes, PostgreSQL away or not."""
    loop = asyncio.get_running_loop()
    async with deps.bell.listen(ended_topic(job)) as ear:
        while True:
            try:
                found = await deps.looks.at(job)
                if found is None or found.ended:
                    return found
            except Unavailable as error:
                log.warning("Could not look at a job, looking again", job=job, reason=str(error))
            await ear.heard(until_next(loop.time(), deps.settings.poll_seconds))


async def forget(deps: Deps, job: UUID) -> bool:
    """Delete a job with all its objects; a worker at it loses its claim. False if there is no such job.

    The row goes last: whoever was cut short in between finds the job again and can repeat it.
    """
    await deps.store.cancel(job)
    await deps.objects.delete_folder(folder(job))
    deleted = await deps.store.delete(job)
    await deps.bell.ring(ended_topic(job))
    return deleted


async def try_to_forget(deps: Deps, job: UUID) -> None:
    """Forget a job or an upload that nobody will ask for again; what cannot be deleted now is left to the sweep."""
    try:
        await forget(deps, job)
    except (Unavailable, ObjectsUnavailable) as error:
        log.warning("Could not delete a job, left it to the sweep", job=job, reason=str(error))
