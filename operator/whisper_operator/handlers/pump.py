"""One task per resource: it waits for its bell, a backoff or the resync, and then looks at the resource once."""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from whisper_operator.errors import Transient
from whisper_operator.logs import Log
from whisper_operator.metrics import OLDEST, QUEUE_SECONDS, RECONCILE_SECONDS, TASKS, WAITING
from whisper_operator.reconcile import Outcome

log = Log(__name__)
FIRST, LONGEST = 0.5, 60.0
HOLD = 2.0
Key = tuple[str, str]


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (from 1); `chance` in 0..1 spreads them over the upper half."""
    ceiling = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 10))
    return ceiling * (0.5 + chance / 2)


class Turns:
    """At most `count` at the same time; of those who wait, whoever is on the way for longest is the next."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def taken(self, since: float) -> AsyncIterator[None]:
        """A turn, while the block lasts, for one that is on the way since then."""
        if self._free:
            self._free -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (since, next(self._order), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was given one at the same moment
                    self._next()
                raise
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Pump:
    """The tasks of one kind. `work(namespace, name)` looks once and says what comes next.

    A bell rung during the work is heard after it. A burst of bells within `debounce` seconds is one bell.

    What has begun and is not done (`Outcome.label` "waiting") goes before what begins: a thousand new ones become ready
    one after another, not all at the very end.
    """

    def __init__(
        self,
        kind: str,
        work: Callable[[str, str], Awaitable[Outcome]],
        turns: Turns,
        *,
        debounce: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._kind, self._work, self._turns, self._debounce, self._chance = kind, work, turns, debounce, chance
        self._bells: dict[Key, asyncio.Event] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._waiting: dict[Key, float] = {}
        self._begun: dict[Key, float] = {}
        self._closed = False
        OLDEST.labels(kind).set_function(self._oldest)

    def ring(self, namespace: str, name: str) -> None:
        """Something about this resource changed. Starts its task if it has none."""
        if self._closed:
            return
        key = (namespace, name)
        self._waiting.setdefault(key, time.monotonic())
        self._bells.setdefault(key, asyncio.Event()).set()
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._live(key), name=f"{self._kind} {namespace}/{name}")
            TASKS.labels(self._kind).set(len(self._tasks))

    def rung(self, namespace: str, name: str) -> bool:
        """Whether something has changed since its last look began."""
        bell = self._bells.get((namespace, name))
        return bell is not None and bell.is_set()

    async def close(self) -> None:
        """Stop every task, in the middle of whatever it does: the next look starts from what is there."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, key: Key) -> None:
        bell, failures, delay = self._bells[key], 0, 0.0
        try:
            while True:
                await self._wait(bell, delay, held=failures > 0)
                outcome = await self._look(key, failures + 1)
                if outcome is None:
                    failures += 1
                    delay = backoff(failures, self._chance())
                    continue
                failures = 0
                # Resyncs of a thousand resources must not fall together.
                delay = outcome.again * (0.9 + 0.2 * self._chance())
                if outcome.gone and not bell.is_set():
                    return
        finally:
            del self._tasks[key], self._bells[key]
            self._waiting.pop(key, None)
            self._begun.pop(key, None)
            TASKS.labels(self._kind).set(len(self._tasks))

    async def _wait(self, bell: asyncio.Event, delay: float, *, held: bool) -> None:
        """Until the bell or for `delay` seconds; while the world fails (`held`), bells do not hurry us beyond HOLD."""
        start = time.monotonic()
        if held:
            await asyncio.sleep(min(delay, HOLD))
        try:
            async with asyncio.timeout(max(0.0, delay - (time.monotonic() - start))):
                await bell.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._debounce)

    async def _look(self, key: Key, attempt: int) -> Outcome | None:
        """One look. None: it failed, for a reason that may pass."""
        asked = self._waiting.setdefault(key, time.monotonic())
        begun = self._begun.setdefault(key, asked)
        async with AsyncExitStack() as turn:
            with WAITING.labels(self._kind).track_inprogress():
                await turn.enter_async_context(self._turns.taken(begun))
            self._bells[key].clear()  # not before it waited for its turn: what was told meanwhile this look sees
            start, label = time.monotonic(), "error"
            QUEUE_SECONDS.labels(self._kind).observe(start - self._waiting.pop(key))
            try:
                outcome = await self._work(*key)
                label = outcome.label
                return outcome
            except Transient as error:
                label = "transient"
                log.warning("Will try again", kind=self._kind, key="/".join(key), attempt=attempt, cause=str(error))
            except Exception:  # one resource's bug must not end the others' care; it is counted, logged and retried
                log.exception("Reconcile failed", kind=self._kind, key="/".join(key), attempt=attempt)
            finally:
                RECONCILE_SECONDS.labels(self._kind, label).observe(time.monotonic() - start)
                if label != "waiting":
                    self._begun.pop(key, None)
        return None

    def _oldest(self) -> float:
        return max((time.monotonic() - since for since in self._waiting.values()), default=0.0)
