from collections.abc import AsyncIterator
from typing import Any

import pytest

from services import servers
from whisper_transcriber.bell.memory import MemoryBell
from whisper_transcriber.bell.port import Bell
from whisper_transcriber.bell.redis import RedisBell


@pytest.fixture(params=["memory", "redis"])
async def bell(request: pytest.FixtureRequest) -> AsyncIterator[Bell]:
    """A bell of each kind."""
    made: Any = MemoryBell() if request.param == "memory" else RedisBell(servers.redis().url)
    yield made
    await made.close()
