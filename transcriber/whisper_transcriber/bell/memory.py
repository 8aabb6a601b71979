"""The bell within one process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Ear:
    """A listener that remembers one ring."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or the next one who will."""
        self._rung.set()

    async def heard(self, patience: float) -> bool:
        try:
            await asyncio.wait_for(self._rung.wait(), patience)
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class MemoryBell:
    """Rings every ear on the topic at once."""

    def __init__(self) -> None:
        self._ears: defaultdict[str, set[Ear]] = defaultdict(set)

    async def ring(self, topic: str) -> None:
        self.ring_here(topic)

    def ring_here(self, topic: str) -> None:
        """Ring the ears of this process."""
        for ear in self._ears.get(topic, ()):
            ear.ring()

    def ring_all(self) -> None:
        """Ring every ear of this process: something may have been missed."""
        for topic in list(self._ears):
            self.ring_here(topic)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[Ear]:
        ear = Ear()
        self._ears[topic].add(ear)
        try:
            yield ear
        finally:
            self._ears[topic].discard(ear)
            if not self._ears[topic]:
                del self._ears[topic]

    async def healthy(self) -> bool:
        return True

    async def close(self) -> None:
        return None
