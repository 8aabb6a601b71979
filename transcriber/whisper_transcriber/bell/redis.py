"""The bell over Redis: publish and subscribe, nothing stored, so nothing can be lost but time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context

from redis.exceptions import RedisError

from whisper_transcriber.bell.clients import PATIENCE, clients
from whisper_transcriber.bell.memory import Ear, MemoryBell
from whisper_transcriber.logs import Log
from whisper_transcriber.trust import Trust

log = Log(__name__)
_PREFIX = "whisper:bell:"
_RINGERS = 8
_AWAY = (RedisError, OSError, TimeoutError)


class RedisBell:
    """One connection listens for the whole process and wakes its ears; another one rings."""

    def __init__(
        self,
        url: str,
        on_failure: Callable[[], None] = lambda: None,
        *,
        tls: bool | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._clients = clients(url, tls, trust)
        self._ringer, self._hearer = self._clients.ringer, self._clients.hearer
        self._turns = asyncio.Semaphore(_RINGERS)
        self._local = MemoryBell()
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    async def ring(self, topic: str) -> None:
        try:
            await asyncio.wait_for(self._publish(topic), PATIENCE)
        except _AWAY as error:
            self._on_failure()
            log.warning("Could not ring, listeners will find out by polling", error=type(error).__name__)

    async def _publish(self, topic: str) -> None:
        # However many ring at once, they take turns at a few connections; who gets none in time has not rung.
        async with self._turns:
            await self._ringer.publish(_PREFIX + topic, b"")

    def listen(self, topic: str) -> AbstractAsyncContextManager[Ear]:
        return self._listen(topic)

    @asynccontextmanager
    async def _listen(self, topic: str) -> AsyncIterator[Ear]:
        if self._task is None:
            self._task = asyncio.create_task(self._hear(), name="redis bell", context=Context())
        async with self._local.listen(topic) as ear:
            # The first ears wait a moment for the subscription; without Redis they go on and poll, as all others do.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), PATIENCE)
            yield ear

    async def healthy(self) -> bool:
        try:
            # redis-py types the asynchronous ping as maybe synchronous.
            await asyncio.wait_for(self._ringer.ping(), PATIENCE)  # type: ignore[arg-type]
        except _AWAY:
            return False
        return True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._clients.close()

    async def _hear(self) -> None:
        wait = 0.1
        while True:
            try:
                async with self._hearer.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.psubscribe(_PREFIX + "*")
                    self._tried.set()
                    self._local.ring_all()  # whatever rang while nobody listened
                    wait = 0.1
                    async for message in pubsub.listen():
                        self._local.ring_here(message["channel"].decode().removeprefix(_PREFIX))
            except _AWAY as error:
                log.warning("Lost the bell, polling until it is back", error=type(error).__name__)
            self._tried.set()
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)
