"""A claim while it is worked on: kept alive by a heartbeat, and asked before each step whether to go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import StaleClaim, Unavailable

log = Log(__name__)
T = TypeVar("T")


class Stopping(Exception):
    """The worker is to stop: hand the job back."""


class Hold:
    """One claim in this worker's hands."""

    def __init__(self, deps: Deps, claim: Claim, stop: asyncio.Event) -> None:
        self.claim = claim
        self.close: Claim | None = None  # the claim to close the job, where this one's end gave it
        self._deps = deps
        self._stop = stop
        self._lost = asyncio.Event()

    @property
    def lease(self) -> float:
        """Seconds that the claim is kept without a sign of life."""
        return self._deps.settings.claim_lease_seconds

    def check(self) -> None:
        """Return if the work shall go on. Raises StaleClaim if the job is no longer ours, Stopping on SIGTERM."""
        self.check_lost()
        if self._stop.is_set():
            raise Stopping

    def check_lost(self) -> None:
        """Return if the job is still ours, as far as is known. Raises StaleClaim."""
        if self._lost.is_set():
            raise StaleClaim(f"{self.claim} is over")

    def end(self) -> None:
        """Let the whole worker stop, as SIGTERM does."""
        self._stop.set()

    async def over(self) -> None:
        """Wait until `check` raises."""
        ways = [asyncio.create_task(event.wait()) for event in (self._lost, self._stop)]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the store, again and again while it is away: only its own word ends a claim.

        Raises:
            StaleClaim: the job is no longer ours.
            Unavailable: the store is away and the worker is to stop; the lease will run out.
        """
        wait = 0.2
        while True:
            try:
                return await write()
            except Unavailable as error:
                if self._stop.is_set():
                    raise
                log.warning("Could not write, trying again", job=self.claim.job.id, reason=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)
            wait = min(wait * 2, 5.0)

    async def beat(self) -> None:
        """Renew the claim until it is lost: now and then, and whenever the bell says that the job has ended."""
        async with self._deps.bell.listen(ended(self.claim.job.id)) as ear:
            while not self._lost.is_set():
                await ear.heard(self.lease / 3)
                try:
                    await self._deps.store.renew(self.claim, self.lease)
                except StaleClaim:
                    self._lost.set()
                except Unavailable as error:
                    log.warning("Could not renew a claim, trying again", job=self.claim.job.id, reason=str(error))


@asynccontextmanager
async def held(deps: Deps, claim: Claim, stop: asyncio.Event) -> AsyncIterator[Hold]:
    """The claim, its heart beating until the block is left."""
    hold = Hold(deps, claim, stop)
    beating = asyncio.create_task(hold.beat(), name=f"heartbeat {claim.job.id}")
    try:
        yield hold
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
