"""A short file as a whole: what an earlier attempt did is skipped, the rest goes through the pump window by window."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from whisper_transcriber.audio import Decoding, Kept, Limits, decode, windows
from whisper_transcriber.batching import Pump
from whisper_transcriber.batching.flow import Cut
from whisper_transcriber.batching.language import settled, unsettled
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.logs import Log
from whisper_transcriber.worker.hold import Hold
from whisper_transcriber.worker.passage import Passage

log = Log(__name__)


@dataclass
class Selected:
    """Those windows of a stream that are still to do; `skipped` counts the others."""

    cut: Cut
    done: Set[Window]
    skipped: int = 0

    def __iter__(self) -> Cut:
        for window, samples in self.cut:
            if window in self.done:
                self.skipped += 1
            else:
                yield window, samples


@dataclass(frozen=True)
class File:
    """A file that can be read more than once: its samples are `kept` already, or it is decoded each time."""

    path: Path
    limits: Limits
    kept: Kept | None = None

    async def read(self) -> AbstractContextManager[Decoding | Kept]:
        """Its samples, for one `with`."""
        return nullcontext(self.kept) if self.kept else await asyncio.to_thread(decode, self.path, self.limits)


async def transcribe(
    deps: Deps, hold: Hold, file: File, pump: Pump, hint: float | None
) -> tuple[About, list[WindowResult]]:
    """Transcribe a job's file, which is about `hint` seconds long.

    Raises:
        InvalidAudio, UnsupportedOption: the user must change something.
        StaleClaim, Stopping: from the hold.
    """
    job = hold.claim.job
    options = pump.check(job.request.options)
    results = list(await hold.persist(lambda: deps.store.windows(job.id)))
    passage = Passage(deps, hold, pump, hint)
    rules = pump.rules(options)
    with await file.read() as samples:
        selected = Selected(windows(samples, rules=rules), {result.window for result in results})
        results += await passage.hear(iter(selected), options)
        duration, warning = samples.seconds, samples.warning
    if warning:
        log.warning("Decoded only a part of the audio", job=job.id, reason=warning)
    deps.metrics.windows_skipped.inc(selected.skipped)
    language, unsure = unsettled(results)
    if language is not None and unsure:
        with await file.read() as samples:
            cut = windows(samples, rules=rules)
            results = await once_more(passage, cut, replace(options, language=language), unsure, results)
    results.sort(key=lambda result: result.window.index)
    return about(pump, options, language, duration), results


async def once_more(
    passage: Passage,
    cut: Cut,
    options: Options,
    unsure: Sequence[WindowResult],
    results: Iterable[WindowResult],
    *,
    record: bool = True,
) -> list[WindowResult]:
    """The results, with the unsure ones heard again under `options`; `cut` is read a second time for them."""
    before = {result.window: result for result in unsure}
    chosen = ((window, samples) for window, samples in cut if window in before)
    again = await passage.hear(chosen, options, lambda result: settled(before[result.window], result), record=record)
    return [result for result in results if result.window not in before] + again


def about(pump: Pump, options: Options, language: str | None, duration: float) -> About:
    """What is true of the whole transcript; `language` is that of most of the speech."""
    engine = pump.engine
    named = options.language or language or "en"
    return About(options.task, named, duration, engine.model, engine.digest, engine.name)


def moved(cut: Iterable[tuple[Window, Samples]], begin: float) -> Iterator[tuple[Window, Samples]]:
    """The windows of a part, with times of the file that the part begins at `begin` seconds of."""
    for window, samples in cut:
        yield window.moved(begin), samples
