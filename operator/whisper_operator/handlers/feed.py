"""Feeding the mirror: one task for each kind of children, and a bell for each transcriber that it has news for."""

import asyncio
import random
from collections.abc import Callable

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.mirror import Key, Mirror, Shelf
from whisper_operator.cluster.port import CERTIFICATE, Changed, Cluster, Kind, News, name_of
from whisper_operator.errors import Rejected, Transient
from whisper_operator.handlers.pump import backoff
from whisper_operator.logs import Log
from whisper_operator.metrics import WATCHING
from whisper_operator.reconcile import OPTIONAL_KINDS

log = Log(__name__)
# Seconds between two looks for a CRD that is missing.
LOOK = 60.0


class Feed:
    """The watches behind a mirror. `ring(namespace, transcriber)` is called after the mirror has the news.

    Kinds whose CRD is missing are looked for now and then; `appeared` is called when one is there.
    """

    def __init__(
        self, cluster: Cluster, mirror: Mirror, ring: Callable[[str, str], None], appeared: Callable[[], None]
    ) -> None:
        self._cluster, self._mirror, self._ring, self._appeared = cluster, mirror, ring, appeared
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
                if not shelf.served:
                    await self._await(kind, told)
                    shelf.served = True
                    self._appeared()
                async for news in self._cluster.watch(kind, namespace, LABEL_TRANSCRIBER):
                    self._announce(kind, news, shelf.hear(news))
                    WATCHING.labels(kind.name, namespace).set(shelf.live)
                    if shelf.live:
                        told.set()
                        failures = 0
            except (Transient, Rejected) as error:
                log.warning("A watch broke", kind=kind.name, namespace=namespace, cause=str(error))
                if kind in OPTIONAL_KINDS and isinstance(error, Rejected):
                    shelf.served = False  # its CRD has gone, or the rights to it
            except Exception:  # a bug with one object must not end the watch of all
                log.exception("A watch failed", kind=kind.name, namespace=namespace)
            shelf.live = False
            WATCHING.labels(kind.name, namespace).set(0)
            failures += 1
            await asyncio.sleep(backoff(failures, random.random()))  # noqa: S311  spreads, guards nothing

    async def _await(self, kind: Kind, told: asyncio.Event) -> None:
        while not await self._cluster.serves(kind):
            told.set()
            await asyncio.sleep(LOOK * (0.9 + 0.2 * random.random()))  # noqa: S311

    def _announce(self, kind: Kind, news: News, keys: set[Key]) -> None:
        if kind == CERTIFICATE and isinstance(news, Changed):
            # cert-manager writes a Secret of this name, and then here. Secrets are not watched.
            self._mirror.doubt(keys, name_of(news.object))
        for namespace, transcriber in keys:
            self._ring(namespace, transcriber)
