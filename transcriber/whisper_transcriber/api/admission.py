"""Whether the queue takes another job: asked before its audio is read, so that too much is refused early."""

import asyncio
from contextvars import Context

from fastapi import Request

from whisper_transcriber.api.access import Given, tell
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.demand import Team, audio_waiting, relief
from whisper_transcriber.domain.job import Queue
from whisper_transcriber.request.errors import ApiError

_FRESH = 1.0
_SHARE = 10  # looks at the queue take at most this part of the time: a long queue is counted less often


async def has_queue_left(request: Request, deps: Given) -> None:
    """A dependency of what makes jobs: not too much audio waits already. Raises ApiError (429), Unavailable."""
    limit = deps.settings.max_queue_seconds
    if not limit:
        return
    admission = request.app.state.admission
    assert isinstance(admission, Admission)
    queue, team = await admission.seen()
    if audio_waiting(queue) > limit:
        tell(request, {"retry-after": str(relief(queue, team, limit))})
        raise ApiError(429, "Too much audio is waiting already; come back later.", code="queue_full")


class Admission:
    """One look at the queue for all who ask at about the same time; one that failed is not kept."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._look: asyncio.Task[tuple[Queue, Team]] | None = None
        self._fresh_until = 0.0

    async def seen(self) -> tuple[Queue, Team]:
        """The queue and the workers, as they were a moment ago. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        if self._look is None or (self._look.done() and loop.time() >= self._fresh_until):
            self._look = asyncio.create_task(self._take(), name="look at the queue", context=Context())
            self._look.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._look)

    async def _take(self) -> tuple[Queue, Team]:
        loop = asyncio.get_running_loop()
        began = self._fresh_until = loop.time()
        seen = await self._deps.store.queue(), await self._deps.store.team()
        self._fresh_until = loop.time() + max(_FRESH, _SHARE * (loop.time() - began))
        return seen
