"""A request that waits for a job, as long as its client does."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.jobs import try_to_forget
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)
T = TypeVar("T")


class Farewells:
    """Jobs whose clients have all gone. Each is kept for a while: a client that was out of patience asks again.

    OpenAI's clients do so, without saying that it is the same request; what says it is the hash of the file.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._going: set[asyncio.Task[None]] = set()

    def later(self, job: UUID) -> None:
        """Delete the job in a while, unless somebody waits for it then. What a process leaves, the workers sweep."""
        task = asyncio.create_task(self._after_a_while(job), name=f"farewell {job}")
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def now(self, job: UUID) -> None:
        """Delete the job, unless somebody waits for it."""
        try:
            if await self._deps.store.unname(job):
                await try_to_forget(self._deps, job)
        except Unavailable as error:
            log.warning("Could not delete a job, left it to the sweep", job=job, reason=str(error))

    async def _after_a_while(self, job: UUID) -> None:
        await asyncio.sleep(self._deps.settings.retry_seconds)
        await self.now(job)


class Visit:
    """One request's wait for a job. Once `answered`, its client has what it came for."""

    def __init__(self, deps: Deps, farewells: Farewells, job: UUID) -> None:
        self.answered = False
        self._deps = deps
        self._farewells = farewells
        self._job = job

    async def leave(self) -> None:
        """Wait no longer; where nobody does, the work stops. Runs to its end though the request is cancelled."""
        await asyncio.shield(self._leave())

    async def _leave(self) -> None:
        try:
            waiting = await self._deps.store.leave(self._job)
        except Unavailable as error:
            log.warning("Could not leave a job, left it to the sweep", job=self._job, reason=str(error))
            return
        if waiting:
            return
        if self.answered:
            await self._farewells.now(self._job)
        else:
            await self._deps.bell.ring(ended(self._job))
            self._farewells.later(self._job)


async def while_connected(receive: Receive, waiting: Coroutine[Any, Any, T]) -> T | None:
    """What is waited for, or None as soon as the client has gone. The request's body must have been read."""
    work, leaving = asyncio.create_task(waiting), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Events(StreamingResponse):
    """Server-Sent Events until the client goes; then the body's generator is closed, and what `after` holds."""

    media_type = "text/event-stream"

    def __init__(self, body: Any, visit: Visit, after: AsyncExitStack) -> None:
        # A proxy that gathers the body, or a cache, would keep the text until it is no news.
        super().__init__(body, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._visit = visit
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._visit.answered = await while_connected(receive, self._all(send)) is not None
        finally:
            await self._after.aclose()

    async def _all(self, send: Send) -> bool:
        await self.stream_response(send)
        return True
