from collections.abc import AsyncIterator
from typing import Any

import pytest

from services import servers
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.postgres import PostgresStore


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store of each kind, migrated."""
    made: Any = MemoryStore() if request.param == "memory" else PostgresStore(await servers.postgres().fresh())
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
async def database() -> str:
    """The URL of an empty database."""
    return await servers.postgres().fresh()
