"""Works at batches: each is claimed as a job is, led on by a step, and left to whoever comes next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from whisper_transcriber.bell.port import BATCHES
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.room import Full
from whisper_transcriber.domain.batches import Batch
from whisper_transcriber.logs import Log, bound
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.worker.batch_step import Lost, step
from whisper_transcriber.worker.first import first

log = Log(__name__)
# After an error that is nobody's: so long until the batch is tried again.
_LATER_SECONDS = 30.0


async def working_at_batches(deps: Deps, stop: asyncio.Event) -> None:
    """Lead batches on, one at a time, until `stop`; what is in hand then is left where it is."""
    async with deps.bell.listen(BATCHES) as ear:
        while not stop.is_set():
            batch = await _claim(deps)
            if batch is None:
                await first(None, stop.wait(), ear.heard(deps.settings.poll_seconds))
                continue
            with bound(batch=batch.name):
                await lead_on(deps, batch, stop)


async def lead_on(deps: Deps, batch: Batch, stop: asyncio.Event) -> None:
    """One step of a claimed batch, and the end of the claim. Never raises for the batch's sake."""
    again = _LATER_SECONDS
    try:
        async with _held(deps, batch) as lost:
            work = asyncio.create_task(step(deps, batch))
            try:
                await first(None, stop.wait(), lost.wait(), asyncio.wait({work}))
                again = work.result() if work.done() else 0.0
            finally:
                work.cancel()  # a step can be cut off anywhere
                await asyncio.gather(work, return_exceptions=True)
    except Lost:
        log.warning("Lost a batch to another worker")
        return
    except (Unavailable, ObjectsUnavailable, Full) as error:
        again = deps.settings.poll_seconds
        log.warning("Could not lead a batch on, trying again", reason=str(error))
    except Exception:
        log.error("Failed at a batch, trying again", trace=True)
    try:
        await deps.store.batches.release(batch, again)
    except Unavailable as error:
        log.warning("Left a batch to run out", reason=str(error))


async def _claim(deps: Deps) -> Batch | None:
    try:
        return await deps.store.batches.claim(deps.settings.claim_lease_seconds)
    except Unavailable as error:
        log.warning("Could not look for batches, looking again", reason=str(error))
        return None


@asynccontextmanager
async def _held(deps: Deps, batch: Batch) -> AsyncIterator[asyncio.Event]:
    """The claim, renewed until the block is left; the event says that it was lost."""
    lost, lease = asyncio.Event(), deps.settings.claim_lease_seconds

    async def beat() -> None:
        while not lost.is_set():
            await asyncio.sleep(lease / 3)
            try:
                if not await deps.store.batches.renew(batch, lease):
                    lost.set()
            except Unavailable as error:
                log.warning("Could not renew the claim on a batch, trying again", reason=str(error))

    beating = asyncio.create_task(beat(), name=f"heartbeat {batch.name}")
    try:
        yield lost
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
