"""The worker's loop: claim, work, and between jobs wait for the bell or the clock."""

import asyncio

from whisper_transcriber.bell.port import WORK, Listener
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.worker.attempt import attempt
from whisper_transcriber.worker.models import Models
from whisper_transcriber.worker.sweep import sweeping

log = Log(__name__)


async def run(deps: Deps, models: Models, stop: asyncio.Event) -> None:
    """Do jobs until `stop`; the job at hand is then handed back at its next window. Sweeps meanwhile."""
    async with asyncio.TaskGroup() as group:
        group.create_task(sweeping(deps, stop), name="sweep")
        await models.warm_up(stop)
        await _work(deps, models, stop)


async def _work(deps: Deps, models: Models, stop: asyncio.Event) -> None:
    async with deps.bell.listen(WORK) as ear:
        while not stop.is_set():
            claim = await _claim(deps)
            if claim is None:
                await _wait(ear, stop, deps.settings.poll_seconds)
                continue
            with deps.metrics.busy.track_inprogress():
                outcome = await attempt(deps, models, claim, stop)
            if outcome in ("handed_back", "crashed", "dropped"):
                # What failed now would fail at once again.
                await _wait(ear, stop, min(1.0, deps.settings.poll_seconds))


async def _claim(deps: Deps) -> Claim | None:
    settings = deps.settings
    try:
        return await deps.store.claim(settings.worker_id, settings.claim_lease_seconds)
    except Unavailable as error:
        log.warning("Could not look for jobs, looking again", reason=str(error))
        return None


async def _wait(ear: Listener, stop: asyncio.Event, seconds: float) -> None:
    """Return on a ring, on `stop`, or after `seconds`."""
    tasks = {asyncio.create_task(ear.heard(seconds)), asyncio.create_task(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
