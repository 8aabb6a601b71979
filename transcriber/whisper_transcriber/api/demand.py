"""What an autoscaler asks: how many workers the queue takes, and what that follows from."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.demand import workers
from whisper_transcriber.domain.job import Queue

router = APIRouter(prefix="/internal", tags=["internal"])
_LONGEST = 30.0


class DemandBody(BaseModel):
    """Seconds are of audio; `real_time_factor` is null until a worker has finished something."""

    workers: int = Field(description="How many workers finish all of it in target_wait_seconds")
    queued: int = Field(description="Jobs that wait")
    running: int = Field(description="Jobs that are begun")
    unopened: int = Field(description="Queued jobs whose length nobody knows yet")
    backlog_seconds: float = Field(description="What a worker could claim")
    in_flight_seconds: float = Field(description="What is left of claims that are held")
    claimable: int = Field(description="Jobs and parts that a worker could claim")
    claimed: int = Field(description="Claims that are held")
    webhooks: int = Field(description="Webhooks that are due: one worker delivers them")
    batches: int = Field(description="Batches that have not ended: one worker leads them on")
    real_time_factor: float | None = Field(description="Seconds that a worker is busy for each second of audio")
    busy: dict[str, int] = Field(description="Claims by worker")


@router.get("/demand")
async def demand(
    request: Request,
    deps: Given,
    target_wait_seconds: Annotated[float, Query(gt=0, le=86400)] = 60.0,
    wait_seconds: Annotated[float, Query(ge=0, le=_LONGEST)] = 0.0,
) -> DemandBody:
    """The demand now; with `wait_seconds`, as soon as there is any job or webhook, or after so long.

    503 while PostgreSQL does not answer: a scaler must not take that for an empty queue.
    """
    queue, webhooks, batches = await _busy_queue(deps, wait_seconds, request.app.state.stopping)
    team = await deps.store.team()
    return DemandBody(
        workers=workers(queue, team, target_wait_seconds, webhooks + batches),
        queued=queue.queued,
        running=queue.running,
        unopened=queue.unopened,
        backlog_seconds=round(queue.backlog_seconds, 3),
        in_flight_seconds=round(queue.in_flight_seconds, 3),
        claimable=queue.claimable,
        claimed=queue.claimed,
        webhooks=webhooks,
        batches=batches,
        real_time_factor=team.real_time_factor,
        busy=dict(team.busy),
    )


async def _busy_queue(deps: Deps, patience: float, stopping: asyncio.Event) -> tuple[Queue, int, int]:
    """The queue, how many webhooks are due and batches open, once there is anything or patience has run out."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    async with deps.bell.listen(WORK) as ear:
        while True:
            queue, webhooks = await deps.store.queue(), (await deps.store.hooks.outbox()).due
            batches = await deps.store.batches.open()
            left = end - loop.time()
            if queue.queued or queue.running or webhooks or batches or left <= 0 or stopping.is_set():
                return queue, webhooks, batches
            await ear.heard(min(left, deps.settings.poll_seconds))
