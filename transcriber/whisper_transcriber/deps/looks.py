"""One look at the store for all who follow jobs in this process, however many they are."""

import asyncio
from contextvars import Context
from uuid import UUID

from whisper_transcriber.domain.job import Job
from whisper_transcriber.store.port import Store


class Looks:
    """At most one look is on its way; whoever asks meanwhile is answered by the next one, together with all others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: dict[UUID, asyncio.Future[Job | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def at(self, job: UUID) -> Job | None:
        """The job as it stands, None if there is none. Raises Unavailable."""
        if (found := self._asked.get(job)) is None:
            found = self._asked[job] = asyncio.get_running_loop().create_future()
            found.add_done_callback(_seen)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="looks at jobs", context=Context())
        # Shielded: others may wait for the same.
        return await asyncio.shield(found)

    async def _look(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                try:
                    found = await self._store.find(asked)
                except Exception as error:  # whoever asked gets it
                    for waiting in asked.values():
                        waiting.set_exception(error)
                else:
                    for job, waiting in asked.items():
                        waiting.set_result(found.get(job))
        finally:
            self._looking = None


def until_next(now: float, every: float) -> float:
    """Seconds until the next moment at which all look who look so often: together, so that it is one look for all."""
    return every - now % every


def _seen(future: "asyncio.Future[Job | None]") -> None:
    # An error that nobody waits for any more is none.
    if not future.cancelled():
        future.exception()
