"""The windows of one claim on their way through the pump: sent on as they are cut, recorded as they come back."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import Gauge

from whisper_transcriber.batching import Item, Pump, Ticket, flow
from whisper_transcriber.batching.flow import Cut
from whisper_transcriber.bell.port import moved
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.store.port import StaleClaim
from whisper_transcriber.worker.hold import Hold, Stopping


class Passage:
    """Windows in, results out.

    `seconds` is how long the audio says it is, None where it does not; `begin`, where in the file it begins.
    """

    def __init__(self, deps: Deps, hold: Hold, pump: Pump, seconds: float | None, begin: float = 0.0) -> None:
        self._deps = deps
        self._hold = hold
        self._pump = pump
        self._seconds = seconds
        self._begin = begin
        self._arrived = time.monotonic()
        self._listened = 0.0

    def listened(self, seconds: float) -> None:
        """Note what the voice detector took, which is no decoding: for whoever cuts the windows."""
        self._listened += seconds

    async def hear(
        self,
        cut: Cut,
        options: Options,
        final: Callable[[WindowResult], WindowResult] = lambda result: result,
        *,
        languages: Mapping[Window, str] = {},
        record: bool = True,
    ) -> list[WindowResult]:
        """The results of all windows of a stream, in any order; each is recorded, as `final` makes it, when it is done.

        Windows that are in `languages` are heard in that language, whatever the options say. Nothing is recorded if
        `record` is False: then a claim that ends too early loses it.

        When the claim is lost or the worker is to stop, the windows that wait are dropped at once, and those that are
        being computed are still recorded, as far as this step was their last. Raises StaleClaim, Stopping, what the
        stream raises, what the engine raises.
        """
        deps, hold, claim = self._deps, self._hold, self._hold.claim
        results: list[WindowResult] = []

        def at_once() -> int:
            # After an attempt that failed, the first window left goes alone: others would hide that it fails again.
            return 1 if claim.failures and not results else self._pump.ahead

        async def send(window: Window, samples: Samples) -> WindowResult:
            hold.check()
            asked = options.speaking(languages.get(window))
            return await self._pump.submit(Item(window, samples, asked), self._ticket(window))

        async def keep(result: WindowResult) -> None:
            result = final(result)
            if record:
                with deps.metrics.stage_seconds.labels("record").time():
                    await hold.persist(lambda: deps.store.checkpoint(hold.claim, [result], hold.lease))
                await deps.bell.ring(moved(claim.job.id))
            results.append(result)
            deps.metrics.windows.inc()
            deps.metrics.audio_seconds.inc(result.window.end - result.window.start)
            done(result.window.end - result.window.start)

        watching = asyncio.create_task(self._drop_when_over(), name=f"watch {claim.job.id}")
        try:
            with deps.tracing.span("transcribe"), in_flight(deps.metrics.inflight, self._seconds or 0.0) as done:
                await flow(
                    self._timed(cut),
                    send,
                    keep,
                    at_once=at_once,
                    stop=lambda error: self._pump.drop(claim.key, error),
                    cutting=self._pump.expected,
                )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return results

    def _ticket(self, window: Window) -> Ticket:
        claim, job = self._hold.claim, self._hold.claim.job
        # Where the length is not known, the audio is taken to be as long again as what has been heard of it.
        end = window.start + window.end if self._seconds is None else self._begin + self._seconds
        left = max(end - window.start, window.end - window.start)
        return Ticket(claim.key, job.tenant, job.request.priority, self._arrived, left)

    def _timed(self, cut: Cut) -> Cut:
        """The same windows; how long each took to decode, and to listen to, is observed."""
        decode, vad = (self._deps.metrics.stage_seconds.labels(stage) for stage in ("decode", "vad"))
        while True:
            started, self._listened = time.monotonic(), 0.0
            found = next(cut, None)
            vad.observe(self._listened)
            decode.observe(time.monotonic() - started - self._listened)
            if found is None:
                return
            yield found

    async def _drop_when_over(self) -> None:
        await self._hold.over()
        try:
            self._hold.check()
        except (StaleClaim, Stopping) as error:
            self._pump.drop(self._hold.claim.key, error)


@contextmanager
def in_flight(gauge: Gauge, seconds: float) -> Iterator[Callable[[float], None]]:
    """Show so much audio as claimed and not yet done; the function that the block is given takes off what is done."""
    left = seconds
    gauge.inc(left)

    def done(some: float) -> None:
        nonlocal left
        some = min(some, left)
        left -= some
        gauge.dec(some)

    try:
        yield done
    finally:
        gauge.dec(left)
