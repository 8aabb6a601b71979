"""How much of what clients send a process holds in memory at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

LARGEST: Final = 24 * 1024**2
"""Bytes that an upload of any size takes on its way into the object store."""
_PATIENCE: Final = 10.0


class Full(Exception):
    """There was no room for some seconds. The client should come back."""


class Room:
    """`size` bytes. Whatever fits goes in, so a short recording does not wait for the long ones."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._waiting: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def taken(self, size: int | None) -> AsyncIterator[None]:
        """Room for an upload of so many bytes (None: nobody knows) while the block lasts. Raises Full."""
        need = min(LARGEST if size is None else size, LARGEST, self._size)
        await self._until(need)
        self._left -= need
        try:
            yield
        finally:
            self._left += need
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    async def _until(self, need: int) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while self._left < need:
            freed = loop.create_future()
            self._waiting.add(freed)
            try:
                async with asyncio.timeout_at(end):
                    await freed
            except TimeoutError:
                raise Full("too much is being sent at once") from None
            finally:
                self._waiting.discard(freed)
