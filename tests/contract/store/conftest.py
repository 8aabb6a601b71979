from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services import servers
from whisper_transcriber.domain.deliveries import Delivery
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.memory_rows import Row
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.postgres import PostgresStore
from whisper_transcriber.store.sqlite import SqliteStore


def _timeless(row: Row) -> Row:
    parts = {number: replace(part, lease_until=0.0) for number, part in row.parts.items()}
    return replace(row, lease_until=None, parts=parts)


def _unclaimed(deliveries: Mapping[UUID, Mapping[UUID, Delivery]]) -> dict[UUID, dict[UUID, Delivery]]:
    return {
        job: {id_: replace(each, lease_until=None, next_at=None) for id_, each in found.items()}
        for job, found in deliveries.items()
    }


class Reread(SqliteStore):
    """Whatever a test did to it has to be found by the next process, but for the clock of leases."""

    async def close(self) -> None:
        await super().close()
        successor = SqliteStore(self._file)
        await successor.migrate()
        kept, found = ([_timeless(row) for row in store._rows.values()] for store in (self, successor))
        kept.sort(key=lambda row: row.order)
        found.sort(key=lambda row: row.order)
        assert found == kept
        assert successor._uploads == self._uploads
        known = {job: found for job, found in self.hooks.deliveries.items() if found}
        assert _unclaimed(successor.hooks.deliveries) == _unclaimed(known)
        assert successor.hooks.known == self.hooks.known
        await successor.close()


@pytest.fixture(params=["memory", "postgres", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind, migrated."""
    made: Any
    match request.param:
        case "memory":
            made = MemoryStore()
        case "sqlite":
            made = Reread(tmp_path / "jobs.sqlite")
        case _:
            made = PostgresStore(await servers.postgres().fresh())
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
async def database() -> str:
    """The URL of an empty database."""
    return await servers.postgres().fresh()
