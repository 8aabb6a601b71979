"""Batches of one machine: MemoryBatches', each a document of the SQLite file."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.batches import Batch
from whisper_transcriber.store.memory_batches import Kept, MemoryBatches

_BATCH = TypeAdapter(Batch)
PREFIX = "batch:"


class SqliteBatches(MemoryBatches):
    """Batches that `write` puts on the disk, by name, whenever they change; None deletes."""

    def __init__(
        self,
        clock: Callable[[], float],
        tenants: Callable[[], Mapping[str, int]],
        write: Callable[[str, str | None], Awaitable[None]],
    ) -> None:
        super().__init__(clock, tenants)
        self._write = write

    async def _changed(self, batch: UUID) -> None:
        kept = self.batches.get(batch)
        await self._write(f"{PREFIX}{batch}", None if kept is None else _BATCH.dump_json(kept.batch).decode())

    def read(self, text: str) -> None:
        """Take over what was written; what was claimed is free: whoever held it went with its process."""
        found = _BATCH.validate_json(text)
        self.batches[found.id] = Kept(found, None if found.ended else self._clock())
