from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services import servers
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.postgres import PostgresStore
from whisper_transcriber.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "postgres", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind, migrated."""
    made: Any
    match request.param:
        case "memory":
            made = MemoryStore()
        case "sqlite":
            made = SqliteStore(tmp_path / "jobs.sqlite")
        case _:
            made = PostgresStore(await servers.postgres().fresh())
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
async def database() -> str:
    """The URL of an empty database."""
    return await servers.postgres().fresh()
