"""Feeding the mirror: one task for each kind of children, and a bell for each transcriber that it has news for."""

import asyncio
import random
from collections.abc import Callable

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.mirror import Key, Mirror, Shelf
from whisper_operator.cluster.port import Cluster, Kind
from whisper_operator.errors import Rejected, Transient
from whisper_operator.handlers.pump import backoff
from whisper_operator.logs import Log
from whisper_operator.metrics import WATCHING

log = Log(__name__)


class Feed:
    """The watches behind a mirror. `ring(namespace, transcriber)` is called after the mirror has the news."""

    def __init__(self, cluster: Cluster, mirror: Mirror, ring: Callable[[str, str], None]) -> None:
        self._cluster, self._mirror, self._ring = cluster, mirror, ring
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every watch and wait until each has told what there is."""
        first = []
        for (kind, namespace), shelf in self._mirror.shelves.items():
            told = asyncio.Event()
            first.append(told)
            watching = self._keep(kind, namespace, shelf, told)
            self._tasks.append(asyncio.create_task(watching, name=f"watch {kind.name} {namespace}"))
        for told in first:
            await told.wait()

    async def close(self) -> None:
        """End every watch."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, kind: Kind, namespace: str, shelf: Shelf, told: asyncio.Event) -> None:
        failures = 0
        while True:
            try:
                async for news in self._cluster.watch(kind, namespace, LABEL_TRANSCRIBER):
                    self._announce(shelf.hear(news))
                    WATCHING.labels(kind.name, namespace).set(1)
                    told.set()
                    failures = 0
            except (Transient, Rejected) as error:
                log.warning("A watch broke", kind=kind.name, namespace=namespace, cause=str(error))
            except Exception:  # a bug with one object must not end the watch of all
                log.exception("A watch failed", kind=kind.name, namespace=namespace)
            shelf.live = False
            WATCHING.labels(kind.name, namespace).set(0)
            failures += 1
            await asyncio.sleep(backoff(failures, random.random()))  # noqa: S311  spreads, guards nothing

    def _announce(self, keys: set[Key]) -> None:
        for namespace, transcriber in keys:
            self._ring(namespace, transcriber)
