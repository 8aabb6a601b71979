"""One job's audio, window by window: what an earlier attempt did is skipped, what this one does is recorded at once."""

import asyncio
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from whisper_transcriber.audio import Limits, decode, duration_hint, windows
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.cutting import rules_for
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult, main_language
from whisper_transcriber.domain.window import Window
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Facts
from whisper_transcriber.worker.hold import Hold

log = Log(__name__)


def batch_size(most: int, target: float, seconds_per_window: float | None) -> int:
    """How many windows to take next, so that the batch lasts about `target` seconds; one while nothing is known."""
    if seconds_per_window is None:
        return 1
    return max(1, min(most, int(target / max(seconds_per_window, 1e-6))))


@dataclass
class Cut:
    """What is left of a file: windows to do, and how many were found done."""

    stream: Iterator[tuple[Window, Samples]]
    done: Set[Window]
    skipped: int = 0

    def take(self, count: int) -> list[tuple[Window, Samples]]:
        """The next `count` windows that nobody has done, fewer only at the end. Blocks: it decodes."""
        taken: list[tuple[Window, Samples]] = []
        while len(taken) < count and (found := next(self.stream, None)) is not None:
            if found[0] in self.done:
                self.skipped += 1
            else:
                taken.append(found)
        return taken


async def transcribe(deps: Deps, hold: Hold, path: Path, pipeline: Pipeline) -> tuple[About, list[WindowResult]]:
    """Transcribe a job's file.

    Raises:
        InvalidAudio, UnsupportedOption: the user must change something.
        StaleClaim, Stopping: from the hold.
    """
    job, engine = hold.claim.job, pipeline.engine
    options = pipeline.check(job.request.options)
    limits = Limits(max_seconds=deps.settings.max_audio_seconds)
    hint = await asyncio.to_thread(duration_hint, path)
    facts = Facts(model_digest=engine.digest, engine=engine.name, audio_seconds=hint)
    await hold.persist(lambda: deps.store.learn(hold.claim, facts))
    results = list(await hold.persist(lambda: deps.store.windows(job.id)))
    with await asyncio.to_thread(decode, path, limits) as decoding:
        cut = Cut(windows(decoding, rules=rules_for(options.vad)), {result.window for result in results})
        await _all(deps, hold, pipeline, options, cut, results)
        duration, warning = decoding.seconds, decoding.warning
    if warning:
        log.warning("Decoded only a part of the audio", job=job.id, reason=warning)
    deps.metrics.windows_skipped.inc(cut.skipped)
    results.sort(key=lambda result: result.window.index)
    language = options.language or main_language(results) or "en"
    return About(options.task, language, duration, engine.model, engine.digest, engine.name), results


async def _all(
    deps: Deps, hold: Hold, pipeline: Pipeline, options: Options, cut: Cut, results: list[WindowResult]
) -> None:
    """Do what is left, batch by batch, adding to `results` and to the store."""
    settings, metrics = deps.settings, deps.metrics
    pace: float | None = None
    while True:
        size = batch_size(settings.batch_windows, settings.batch_seconds, pace)
        with metrics.stage_seconds.labels("decode").time():
            batch = await asyncio.to_thread(cut.take, size)
        if not batch:
            return
        hold.check()
        language = main_language(results)
        items = [Item(window, samples, options, language) for window, samples in batch]
        started = time.monotonic()
        done = await asyncio.to_thread(pipeline.run, items)
        pace = (time.monotonic() - started) / len(batch)
        metrics.stage_seconds.labels("transcribe").observe(time.monotonic() - started)
        await hold.persist(lambda done=done: deps.store.checkpoint(hold.claim, done, hold.lease))  # type: ignore[misc]
        results += done
        metrics.windows.inc(len(done))
        metrics.audio_seconds.inc(sum(window.end - window.start for window, _ in batch))
