"""A short file as a whole: what an earlier attempt did is skipped, the rest goes through the pump window by window."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from whisper_transcriber.audio import Decoding, Kept, Limits, decode, windows
from whisper_transcriber.batching import Pump
from whisper_transcriber.batching.flow import Cut
from whisper_transcriber.batching.language import settled, unsettled
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult, main_language
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
    """A file that can be read more than once: its samples are `kept` already, or it is decoded each time.

    `channels`: how many are kept apart; None where they are mixed. `seconds` is how long its headers say it is.
    """

    path: Path
    limits: Limits
    channels: int | None = None
    seconds: float | None = None
    kept: Kept | None = None

    async def read(self) -> AbstractContextManager[Decoding | Kept]:
        """Its samples, for one `with`."""
        return nullcontext(self.kept) if self.kept else await asyncio.to_thread(self.decode)

    def decode(self) -> Decoding:
        """Its samples, decoded now."""
        return decode(self.path, self.limits, self.channels)


async def transcribe(deps: Deps, hold: Hold, file: File, pump: Pump) -> tuple[About, list[WindowResult]]:
    """Transcribe a job's file.

    Raises:
        InvalidAudio, UnsupportedOption: the user must change something.
        StaleClaim, Stopping: from the hold.
    """
    job = hold.claim.job
    options = pump.check(job.request.options)
    results = list(await hold.persist(lambda: deps.store.windows(job.id)))
    passage = Passage(deps, hold, pump, file.seconds)
    rules = pump.rules(options)
    with await file.read() as samples:
        selected = Selected(
            windows(samples, rules=rules, listened=passage.listened), {result.window for result in results}
        )
        results += await passage.hear(iter(selected), options)
        duration, warning = samples.seconds, samples.warning
    if warning:
        log.warning("Decoded only a part of the audio", job=job.id, reason=warning)
    deps.metrics.windows_skipped.inc(selected.skipped)
    if unsure := unsettled(results):
        with await file.read() as samples:
            cut = windows(samples, rules=rules, listened=passage.listened)
            results = await once_more(passage, cut, options, unsure, results)
    results.sort(key=lambda result: result.window.index)
    return about(pump, options, results, duration), results


async def once_more(
    passage: Passage,
    cut: Cut,
    options: Options,
    unsure: Mapping[Window, str],
    results: Sequence[WindowResult],
    *,
    record: bool = True,
) -> list[WindowResult]:
    """The results, with the unsure ones heard again in these languages; `cut` is read a second time for them."""
    before = {result.window: result for result in results if result.window in unsure}
    chosen = ((window, samples) for window, samples in cut if window in before)
    again = await passage.hear(
        chosen, options, lambda result: settled(before[result.window], result), languages=unsure, record=record
    )
    return [result for result in results if result.window not in before] + again


def about(pump: Pump, options: Options, results: Sequence[WindowResult], duration: float) -> About:
    """What is true of the whole transcript."""
    engine = pump.engine
    named = options.language or main_language(results) or "en"
    return About(options.task, named, duration, engine.model, engine.digest, engine.name)


def moved(cut: Iterable[tuple[Window, Samples]], begin: float) -> Iterator[tuple[Window, Samples]]:
    """The windows of a part, with times of the file that the part begins at `begin` seconds of."""
    for window, samples in cut:
        yield window.moved(begin), samples
