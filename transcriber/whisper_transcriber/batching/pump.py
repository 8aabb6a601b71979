"""The one queue of windows before a loaded model: windows of all jobs go in, and every lane of the engine takes the
next batch when it is free.

Which one that is, `due` decides; here is only the machinery around it. A batch is one step of its windows: those that
need another one come back into the queue, so nobody waits for more than a step. One event loop owns a pump.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from typing import Final, TypeAlias

from prometheus_client import Gauge

from whisper_transcriber.batching.due import Policy, Ticket, charged, due, joined, taken
from whisper_transcriber.batching.faults import bisected, judged, out_of_memory
from whisper_transcriber.batching.pace import Pace
from whisper_transcriber.batching.pipeline import Pipeline
from whisper_transcriber.batching.queued import Queued, settle
from whisper_transcriber.batching.rows import Item, Row
from whisper_transcriber.domain.cutting import CutRules, rules_for
from whisper_transcriber.domain.model import BrokenEngine
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.logs import Log
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.tracing import OFF, Attributes, Tracing

log = Log(__name__)
_AGEING: Final = 30.0  # seconds
_OVERDUE_SHARE: Final = 0.25  # of the device, that work which ages may take from work whose turn it would be
_PATIENCE: Final = 0.1  # of the seconds that a batch takes
_Outcome: TypeAlias = WindowResult | Row | Exception


class Pump:
    """Feeds a pipeline with batches of windows of any jobs.

    `size` is the most rows in a batch of one lane: with one, a window's result cannot depend on what is beside it.
    Batches are kept so small that they take about `seconds`, because what comes next waits for them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        size: int = 1,
        seconds: float = 2.0,
        metrics: Metrics | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics or Metrics()
        self._tracing = tracing
        self._size = size
        self._pace = Pace(size, seconds)
        self._ahead = pipeline.engine.lanes * size + max(2, size)
        self._queue: list[Queued] = []
        self._computing: list[Queued] = []
        self._dropped: dict[asyncio.Future[WindowResult], Exception] = {}
        self._served: dict[str, float] = {}
        self._cutting = 0
        self._broken: BrokenEngine | None = None
        self._news = asyncio.Event()
        self._lanes: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(pipeline.engine.lanes, thread_name_prefix="lane")
        self._show()

    @property
    def engine(self) -> Engine:
        """What computes."""
        return self._pipeline.engine

    @property
    def ahead(self) -> int:
        """How many windows of one job are worth having here at once: as many as all lanes take, and the next ones."""
        return self._ahead

    def check(self, options: Options) -> Options:
        """The options as the engine takes them. Raises UnsupportedOption for what its model cannot do."""
        return self._pipeline.check(options)

    def rules(self, options: Options) -> CutRules:
        """How to cut audio for this engine, under options as `check` gave them."""
        return rules_for(options.vad, self.engine.longest(options.language))

    async def submit(self, item: Item, ticket: Ticket) -> WindowResult:
        """The result of a window, when its turn has come. Cancelling this takes it out of the queue at once.

        Raises:
            UnsupportedOption: where `check` would.
            BrokenEngine: nothing can be computed here any more.
            Exception: what the engine raised for this very window, or what its job was dropped with.
        """
        if self._broken is not None:
            raise self._broken
        row = self._pipeline.begin(item)
        answer: asyncio.Future[WindowResult] = asyncio.get_running_loop().create_future()
        now = time.monotonic()
        self._start()
        active = frozenset(each.ticket.tenant for each in (*self._queue, *self._computing))
        self._served = joined(self._served, ticket.tenant, active)
        key, origin = self._pipeline.key(row), self._tracing.here()
        self._queue.append(Queued(ticket, key, row.seconds, now, row, answer, now, origin))
        self._news.set()
        try:
            return await answer
        finally:
            self._queue = [each for each in self._queue if each.answer is not answer]

    def drop(self, job: Hashable, error: Exception) -> None:
        """Let all windows of a job end with `error`: at once, or those being computed if they are not done then."""
        self._dropped |= {each.answer: error for each in self._computing if each.ticket.job == job}
        dropped = [each for each in self._queue if each.ticket.job == job]
        self._queue = [each for each in self._queue if each.ticket.job != job]
        for each in dropped:
            settle(each.answer, error)

    @contextmanager
    def expected(self) -> Iterator[None]:
        """While the block lasts a window is about to come: a batch that is not full waits a moment for it."""
        self._cutting += 1
        try:
            yield
        finally:
            self._cutting -= 1
            self._news.set()

    async def close(self) -> None:
        """Stop the lanes. Whoever still waits for a window gets an error; what is being computed is for nobody."""
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            # Not gather: what this task is woken with would hold on to the lanes' errors, and they to the engine.
            await asyncio.wait(self._lanes)
        self._threads.shutdown(wait=False)
        for each in (*self._queue, *self._computing):
            settle(each.answer, RuntimeError("the pump was closed"))
        for gauge in self._gauges():
            gauge.set_function(float)  # the one before holds on to the engine

    async def freed(self) -> None:
        """Return once no thread of a closed pump holds on to the engine: not even one that has just answered."""
        await asyncio.to_thread(self._threads.shutdown)

    def _start(self) -> None:
        if not self._lanes:
            # In a context of their own: the lanes belong to no job, and not to the one that came first.
            lanes = range(self.engine.lanes)
            self._lanes = [asyncio.create_task(self._lane(), name=f"lane {n}", context=Context()) for n in lanes]
        if any(lane.done() for lane in self._lanes):
            raise RuntimeError("the lanes have stopped, nobody would take the window")

    async def _lane(self) -> None:
        while True:
            while not (batch := self._take(time.monotonic())):
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), self._policy().patience if self._queue else None)
                except TimeoutError:
                    continue
            await self._compute(batch)

    def _take(self, now: float) -> Sequence[Queued]:
        """The next batch, out of the queue and charged to its tenants."""
        batch = due(self._queue, self._served, now, self._policy(), more=self._cutting > 0)
        if batch:
            self._queue = taken(self._queue, batch, now)
            self._served = charged(self._served, batch)
        return batch

    async def _compute(self, batch: Sequence[Queued]) -> None:
        started = time.monotonic()
        for each in batch:
            self._metrics.stage_seconds.labels("queue").observe(started - each.came)
        self._metrics.batch_windows.observe(len(batch))
        self._computing += batch
        rows = [each.row for each in batch]
        about: Attributes = {"whisper.model": self.engine.model, "whisper.batch.windows": len(batch)}
        with self._tracing.shared("batch", about, [each.origin for each in batch]):
            answers, broken = await asyncio.get_running_loop().run_in_executor(self._threads, self._answers, rows)
        self._computing = [each for each in self._computing if each not in batch]
        took = time.monotonic() - started
        self._pace.took(batch[0].key, len(batch), took)
        self._metrics.batch_seconds.observe(took)
        self._queue = [*self._settled(batch, answers, started), *self._queue]
        if broken:
            self._break(next(answer for answer in answers if isinstance(answer, BrokenEngine)))
        self._news.set()

    def _settled(self, batch: Sequence[Queued], answers: Sequence[_Outcome], started: float) -> list[Queued]:
        """Answer whoever waits for a window that is done or dropped; the others, to be queued again."""
        again = []
        for each, answer in zip(batch, answers, strict=True):
            error = self._dropped.pop(each.answer, self._broken)
            if not isinstance(answer, Row):
                settle(each.answer, answer)
            elif error is not None:
                settle(each.answer, error)
            elif not each.answer.done():
                key = self._pipeline.key(answer)
                again.append(replace(each, key=key, seconds=answer.seconds, since=started, came=time.monotonic()))
        return again

    def _answers(self, rows: Sequence[Row]) -> tuple[Sequence[_Outcome], bool]:
        """What became of each row in one step, and whether the engine is broken; in a lane's thread."""
        answers: list[_Outcome] = [*bisected(self._pipeline.advanced, rows, self._failed)]
        return judged(answers, self._pipeline.trouble)

    def _break(self, error: BrokenEngine) -> None:
        """Compute nothing more: whoever waits, or comes, is told so, and that it is not for them."""
        log.error("The engine is broken", model=self.engine.model, device=self.engine.device, reason=str(error))
        self._metrics.errors.labels("broken").inc()
        self._broken = BrokenEngine(str(error), suspect=False)
        for each in self._queue:
            settle(each.answer, self._broken)
        self._queue = []

    def _failed(self, rows: int, error: Exception) -> None:
        """Note what a batch raised; called in the lane's thread."""
        kind = "out_of_memory" if out_of_memory(error) else "engine"
        self._metrics.errors.labels(kind).inc()
        if kind == "out_of_memory":
            self._pace.too_large(rows)
        log.warning("Failed at a batch", windows=rows, kind=kind, error=type(error).__name__)

    def _policy(self) -> Policy:
        jobs = len({each.ticket.job for each in self._queue})
        # If each waiting job had one batch in this time, they would take their share of the device and no more.
        turns = jobs * self._pace.seconds / (self.engine.lanes * _OVERDUE_SHARE)
        patience = min(_PATIENCE * self._pace.seconds, _PATIENCE)
        return Policy(self._size, patience, max(_AGEING, turns), self._pace.size, alike=self.engine.device == "cpu")

    def _show(self) -> None:
        """What is asked for whenever the metrics are read."""
        waiting, oldest, backlog = self._gauges()
        waiting.set_function(lambda: len(self._queue))
        oldest.set_function(lambda: max((time.monotonic() - each.came for each in self._queue), default=0.0))
        backlog.set_function(lambda: sum(each.seconds for each in self._queue))

    def _gauges(self) -> Sequence[Gauge]:
        model, metrics = self.engine.model, self._metrics
        return [each.labels(model) for each in (metrics.windows_waiting, metrics.windows_oldest, metrics.backlog)]
