"""Events go out in the background and at a steady rate: a thousand resources that start must not wait for them."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from whisper_operator.cluster.port import Cluster, Manifest
from whisper_operator.errors import Rejected, Transient
from whisper_operator.logs import Log
from whisper_operator.metrics import EVENTS, EVENTS_WAITING

log = Log(__name__)
RATE, BURST, LIMIT = 10.0, 100, 10_000


class Recorder:
    """Sends Events, Warnings first: BURST at once, then RATE a second. Beyond LIMIT that wait, new ones are dropped."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster, self._clock, self._sleep = cluster, clock, sleep
        self._urgent: deque[Manifest] = deque()
        self._ordinary: deque[Manifest] = deque()
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="events")

    def put(self, event: Manifest) -> None:
        """Have an Event sent when its turn comes."""
        if len(self._urgent) + len(self._ordinary) >= LIMIT:
            EVENTS.labels("dropped").inc()
            return
        (self._urgent if event["type"] == "Warning" else self._ordinary).append(event)
        self._tell()
        self._bell.set()

    async def close(self) -> None:
        """End; what still waits is lost."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        left, when = float(BURST), self._clock()
        while True:
            await self._bell.wait()
            left, when = min(BURST, left + (self._clock() - when) * RATE), self._clock()
            if left < 1 - 1e-6:  # what rounding leaves is a whole one
                await self._sleep((1 - left) / RATE)
                continue
            left -= 1
            await self._send((self._urgent or self._ordinary).popleft())
            self._tell()
            if not self._urgent and not self._ordinary:
                self._bell.clear()

    async def _send(self, event: Manifest) -> None:
        try:
            await self._cluster.create(event)
            EVENTS.labels("recorded").inc()
        except (Rejected, Transient) as error:
            EVENTS.labels("failed").inc()
            log.warning("Event was not recorded", object=event["regarding"]["name"], error=str(error))

    def _tell(self) -> None:
        EVENTS_WAITING.set(len(self._urgent) + len(self._ordinary))
