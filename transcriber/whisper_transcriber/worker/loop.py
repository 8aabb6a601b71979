"""The worker's loop: claim while a slot is free, and otherwise wait for a slot, the bell or the clock."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

from whisper_transcriber.bell.port import WORK, Listener
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.worker.attempt import Outcome, attempt
from whisper_transcriber.worker.batches import working_at_batches
from whisper_transcriber.worker.claims import Claims
from whisper_transcriber.worker.deliver import delivering
from whisper_transcriber.worker.desk import Desk
from whisper_transcriber.worker.effort import telling
from whisper_transcriber.worker.first import first
from whisper_transcriber.worker.models import Models
from whisper_transcriber.worker.sweep import sweeping

log = Log(__name__)


async def run(deps: Deps, models: Models, stop: asyncio.Event) -> None:
    """Do jobs until `stop`; then what is being computed is recorded, and the rest handed back.

    Meanwhile it sweeps, delivers webhooks and leads batches on. All of it waits for the schema of this release, which
    may come while the model is loaded. An engine that is broken stops it too: what was claimed is handed back, and
    BrokenEngine is raised.
    """
    try:
        async with asyncio.TaskGroup() as group:
            warming = group.create_task(models.warm_up(stop), name="warm up")
            await _migrated(deps, stop)
            group.create_task(sweeping(deps, stop), name="sweep")
            group.create_task(delivering(deps, stop), name="webhooks")
            group.create_task(working_at_batches(deps, stop), name="batches")
            await warming
            await _work(deps, models, stop)
    finally:
        await models.close()
    if models.lost is not None:
        raise models.lost


async def _migrated(deps: Deps, stop: asyncio.Event) -> None:
    """Wait until the store answers and has the schema of this release, or for `stop`."""
    said = ""
    while not stop.is_set():
        try:
            await deps.store.ready()
            return
        except Unavailable as error:
            if str(error) != said:
                said = str(error)
                log.warning("Waiting for the store", reason=said)
        await first(min(1.0, deps.settings.poll_seconds), stop.wait())


async def _work(deps: Deps, models: Models, stop: asyncio.Event) -> None:
    claims, desk, held = Claims(deps), Desk(), dict[asyncio.Task[Outcome], Claim]()
    async with asyncio.TaskGroup() as group, deps.bell.listen(WORK) as ear:
        group.create_task(telling(deps, desk.effort, stop), name="pace")
        while not stop.is_set():
            desk.freed.clear()
            ended = [task for task in held if task.done()]
            for task in ended:
                del held[task]
            if any(task.result() in ("handed_back", "crashed") for task in ended):
                # What failed now would fail at once again; the ring that it was handed back with is not for us.
                await first(min(1.0, deps.settings.poll_seconds), stop.wait())
                continue
            free = len(held) - desk.paused < deps.settings.claims
            if free and (claim := await claims.next(held.values(), desk)) is not None:
                desk.take(claim)
                task = group.create_task(_hold(deps, models, desk, claim, stop), name=f"claim {claim.job.id}")
                held[task] = claim
                continue
            await _idle(deps, ear, held, desk, stop)


async def _hold(deps: Deps, models: Models, desk: Desk, claim: Claim, stop: asyncio.Event) -> Outcome:
    try:
        with deps.metrics.busy.track_inprogress():
            return await attempt(deps, models, desk, claim, stop)
    finally:
        desk.off(claim)


async def _idle(
    deps: Deps, ear: Listener, held: Collection[asyncio.Task[Outcome]], desk: Desk, stop: asyncio.Event
) -> None:
    """Wait until a claim has ended or, with a slot free, there may be something to claim."""
    ways: list[Coroutine[Any, Any, object]] = [stop.wait(), desk.freed.wait()]
    if len(held) - desk.paused < deps.settings.claims:
        ways.append(ear.heard(deps.settings.poll_seconds))
    if held:
        ways.append(asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED))
    await first(None, *ways)
