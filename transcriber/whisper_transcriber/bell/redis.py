"""The bell over Redis: publish and subscribe, nothing stored, so nothing can be lost but time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.exceptions import RedisError

from whisper_transcriber.bell.memory import Ear, MemoryBell
from whisper_transcriber.logs import Log
from whisper_transcriber.trust import Trust

log = Log(__name__)
_PREFIX = "whisper:bell:"
_PATIENCE = 1.0
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
        options: dict[str, Any] = {"socket_connect_timeout": _PATIENCE, "health_check_interval": 15}
        url = _schemed(url, tls)
        self._ringer = Redis.from_url(url, socket_timeout=_PATIENCE, **options)
        self._hearer = Redis.from_url(url, **options)
        if trust is not None and url.startswith("rediss:"):
            for client in (self._ringer, self._hearer):  # a URL's own class goes before an argument
                client.connection_pool.connection_class = _trusting(trust)
        self._local = MemoryBell()
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    async def ring(self, topic: str) -> None:
        try:
            await asyncio.wait_for(self._ringer.publish(_PREFIX + topic, b""), _PATIENCE)
        except _AWAY as error:
            self._on_failure()
            log.warning("Could not ring, listeners will find out by polling", error=type(error).__name__)

    def listen(self, topic: str) -> AbstractAsyncContextManager[Ear]:
        return self._listen(topic)

    @asynccontextmanager
    async def _listen(self, topic: str) -> AsyncIterator[Ear]:
        if self._task is None:
            self._task = asyncio.create_task(self._hear(), name="redis bell", context=Context())
        async with self._local.listen(topic) as ear:
            # The first ears wait a moment for the subscription; without Redis they go on and poll, as all others do.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), _PATIENCE)
            yield ear

    async def healthy(self) -> bool:
        try:
            # redis-py types the asynchronous ping as maybe synchronous.
            await asyncio.wait_for(self._ringer.ping(), _PATIENCE)  # type: ignore[arg-type]
        except _AWAY:
            return False
        return True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._ringer.aclose()
        await self._hearer.aclose()

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


def _schemed(url: str, tls: bool | None) -> str:
    """The URL with the scheme for TLS, or for none; `None` leaves it as it is."""
    scheme, _, rest = url.partition(":")
    if tls is None or scheme not in ("redis", "rediss"):
        return url
    return f"{'rediss' if tls else 'redis'}:{rest}"


def _trusting(trust: Trust) -> type[SSLConnection]:
    """Connections that ask at each connect whom to trust: redis-py would read a file of authorities once."""

    class Trusting(SSLConnection):
        def _connection_arguments(self) -> Mapping[str, Any]:
            return {**super()._connection_arguments(), "ssl": trust.context()}

    return Trusting
