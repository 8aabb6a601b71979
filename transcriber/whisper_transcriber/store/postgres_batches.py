"""Batches in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.batches import Batch
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.rows import Row

_BATCH = TypeAdapter(Batch)


class PostgresBatches:
    """Batches in the table batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, batch: Batch) -> None:
        await self._database.rows("batch_add", batch.id, batch.tenant, batch.created_at, _json(batch))

    async def get(self, batch: UUID) -> Batch | None:
        row = await self._database.row("batch_get", batch)
        return _batch(row) if row else None

    async def list(self, tenant: str, limit: int, after: UUID | None = None) -> Sequence[Batch]:
        return [_batch(row) for row in await self._database.rows("batch_list", tenant, limit, after)]

    async def cancel(self, batch: UUID) -> Batch | None:
        await self._database.rows("batch_cancel", batch)
        return await self.get(batch)

    async def claim(self, lease: float) -> Batch | None:
        row = await self._database.row("batch_claim", timedelta(seconds=lease))
        return _batch(row) if row else None

    async def renew(self, batch: Batch, lease: float) -> bool:
        return await self._database.row("batch_renew", batch.id, batch.fence, timedelta(seconds=lease)) is not None

    async def save(self, batch: Batch, lease: float) -> Batch | None:
        wait = None if batch.ended else timedelta(seconds=lease)
        row = await self._database.row("batch_save", batch.id, batch.fence, _json(batch), batch.ended_at, wait)
        return _batch(row) if row else None

    async def release(self, batch: Batch, again: float) -> None:
        await self._database.rows("batch_release", batch.id, batch.fence, timedelta(seconds=again))

    async def open(self) -> int:
        row = await self._database.row("batch_open")
        return int(row["open"]) if row else 0

    async def abandoned(self, kept: float | None = None) -> Sequence[Batch]:
        stay = None if kept is None else timedelta(seconds=kept)
        return [_batch(row) for row in await self._database.rows("batch_abandoned", stay)]

    async def delete(self, batch: UUID) -> None:
        await self._database.rows("batch_delete", batch)


def _json(batch: Batch) -> str:
    return _BATCH.dump_json(batch, exclude={"cancelling_at", "fence"}).decode()


def _batch(row: Row) -> Batch:
    found = _BATCH.validate_json(row["body"])
    return replace(found, cancelling_at=row["cancelling_at"], fence=row["fence"])
