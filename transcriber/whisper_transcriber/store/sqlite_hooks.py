"""Deliveries of webhooks of one machine: MemoryHooks', those of a job as one document of the SQLite file."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.deliveries import Delivery
from whisper_transcriber.store.memory_hooks import MemoryHooks

_DELIVERIES = TypeAdapter(list[Delivery])
PREFIX = "hooks:"


class SqliteHooks(MemoryHooks):
    """Deliveries that `write` puts on the disk with their job."""

    def __init__(self, clock: Callable[[], float], write: Callable[[UUID], Awaitable[None]]) -> None:
        super().__init__(clock)
        self._write = write

    async def _changed(self, job: UUID) -> None:
        await self._write(job)

    def to_json(self, job: UUID) -> str | None:
        """Those of a job, as they are now; None if it has none."""
        found = self.deliveries.get(job)
        return _DELIVERIES.dump_json([*found.values()]).decode() if found else None

    def read(self, text: str) -> None:
        """Take over what was written; what was claimed is free: whoever held it went with its process."""
        for each in _DELIVERIES.validate_json(text):
            self.deliveries[each.job][each.id] = replace(each, lease_until=None)
