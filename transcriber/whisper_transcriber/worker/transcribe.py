"""One job's file: what an earlier attempt did is skipped, the rest goes through the pump window by window."""

import asyncio
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

from whisper_transcriber.audio import Limits, decode, duration_hint, windows
from whisper_transcriber.batching import Pump
from whisper_transcriber.batching.flow import Cut
from whisper_transcriber.batching.language import settled, unsettled
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Facts
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


async def transcribe(deps: Deps, hold: Hold, path: Path, pump: Pump) -> tuple[About, list[WindowResult]]:
    """Transcribe a job's file.

    Raises:
        InvalidAudio, UnsupportedOption: the user must change something.
        StaleClaim, Stopping: from the hold.
    """
    job, engine = hold.claim.job, pump.engine
    options = pump.check(job.request.options)
    hint = await asyncio.to_thread(duration_hint, path)
    facts = Facts(model_digest=engine.digest, engine=engine.name, audio_seconds=hint)
    await hold.persist(lambda: deps.store.learn(hold.claim, facts))
    results = list(await hold.persist(lambda: deps.store.windows(job.id)))
    passage, limits = Passage(deps, hold, pump, hint), Limits(max_seconds=deps.settings.max_audio_seconds)
    with await asyncio.to_thread(decode, path, limits) as decoding:
        selected = Selected(windows(decoding), {result.window for result in results})
        results += await passage.hear(iter(selected), options)
        duration, warning = decoding.seconds, decoding.warning
    if warning:
        log.warning("Decoded only a part of the audio", job=job.id, reason=warning)
    deps.metrics.windows_skipped.inc(selected.skipped)
    language, unsure = unsettled(results)
    if language is not None and unsure:
        results = await _once_more(passage, path, limits, replace(options, language=language), unsure, results)
    results.sort(key=lambda result: result.window.index)
    named = options.language or language or "en"
    return About(options.task, named, duration, engine.model, engine.digest, engine.name), results


async def _once_more(
    passage: Passage,
    path: Path,
    limits: Limits,
    options: Options,
    unsure: list[WindowResult],
    results: list[WindowResult],
) -> list[WindowResult]:
    """The results, with the unsure ones heard again under `options`: the file is read a second time for them."""
    before = {result.window: result for result in unsure}
    with await asyncio.to_thread(decode, path, limits) as decoding:
        cut = ((window, samples) for window, samples in windows(decoding) if window in before)
        again = await passage.hear(cut, options, lambda result: settled(before[result.window], result))
    return [result for result in results if result.window not in before] + again
