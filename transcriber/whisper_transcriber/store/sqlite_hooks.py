"""Deliveries of webhooks of one machine: MemoryHooks', those of a job as one document of the SQLite file."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.deliveries import Delivery
from whisper_transcriber.domain.webhooks import Endpoint
from whisper_transcriber.store.memory_hooks import MemoryHooks

_DELIVERIES = TypeAdapter(list[Delivery])
_ENDPOINTS = TypeAdapter(list[Endpoint])
PREFIX, ENDPOINTS = "hooks:", "endpoints"


class SqliteHooks(MemoryHooks):
    """Deliveries that `write` puts on the disk with their job."""

    def __init__(
        self,
        clock: Callable[[], float],
        write: Callable[[UUID], Awaitable[None]],
        write_endpoints: Callable[[str, str], Awaitable[None]],
    ) -> None:
        super().__init__(clock)
        self._write = write
        self._write_endpoints = write_endpoints

    async def _changed(self, job: UUID) -> None:
        await self._write(job)

    async def _endpoints_changed(self) -> None:
        await self._write_endpoints(ENDPOINTS, _ENDPOINTS.dump_json([*self.known.values()]).decode())

    def to_json(self, job: UUID) -> str | None:
        """Those of a job, as they are now; None if it has none."""
        found = self.deliveries.get(job)
        return _DELIVERIES.dump_json([*found.values()]).decode() if found else None

    def read_endpoints(self, text: str) -> None:
        """Take over what was written."""
        self.known = {each.id: each for each in _ENDPOINTS.validate_json(text)}

    def read(self, text: str) -> None:
        """Take over what was written; what was claimed is free: whoever held it went with its process."""
        for each in _DELIVERIES.validate_json(text):
            free = each if each.lease_until is None else replace(each, lease_until=None, next_at=self._now())
            self.deliveries[each.job][each.id] = free
