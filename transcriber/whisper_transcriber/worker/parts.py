"""The parts of a long file: each is transcribed by whoever claims it, and one worker puts all of them together."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from whisper_transcriber.audio import blocks_of, windows
from whisper_transcriber.batching import Pump
from whisper_transcriber.batching.flow import Cut
from whisper_transcriber.batching.language import unsettled
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.cutting import CutRules
from whisper_transcriber.domain.job import part_key
from whisper_transcriber.domain.lasting import SURE
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable
from whisper_transcriber.worker.hold import Hold
from whisper_transcriber.worker.passage import Passage
from whisper_transcriber.worker.transcribe import Selected, about, moved, once_more

log = Log(__name__)


async def transcribe_part(deps: Deps, hold: Hold, part: Part, pump: Pump, cut: Callable[[], None]) -> bool:
    """Transcribe one part of a file; its windows have times of the file, and numbers of the part.

    `cut` is called when all its windows are on their way. Returns whether some of it may have to be heard again, once
    the language of the whole file is known.

    Raises:
        Missing: its object is gone.
        StaleClaim, Stopping: from the hold.
    """
    job = hold.claim.job
    done = await hold.persist(lambda: deps.store.windows(job.id, part.number))
    options = pump.check(job.request.options)
    passage, loop = Passage(deps, hold, pump, part.seconds, part.start), asyncio.get_running_loop()
    cut_up = await _cut(deps, hold, part, pump.rules(options), options, passage)
    selected = Selected(cut_up, {result.window for result in done})

    def windows_left() -> Cut:
        yield from selected
        loop.call_soon_threadsafe(cut)

    heard = await passage.hear(windows_left(), options)
    deps.metrics.windows_skipped.inc(selected.skipped)
    return any(result.language_probability < SURE for result in (*done, *heard))


async def forget_part(deps: Deps, hold: Hold, part: Part) -> None:
    """Delete the audio of a part that is done; what cannot be deleted now goes with the job."""
    try:
        await deps.objects.delete(part_key(hold.claim.job.id, part.number))
    except Unavailable as error:
        log.warning("Could not delete a part, left it to its job's end", job=hold.claim.job.id, reason=str(error))


async def put_together(deps: Deps, hold: Hold, pump: Pump) -> tuple[About, list[WindowResult]]:
    """The results of all parts, numbered through the file; windows of unsettled language are heard again.

    Raises:
        Missing: the object of a part is gone.
        StaleClaim, Stopping: from the hold.
    """
    job = hold.claim.job
    options = pump.check(job.request.options)
    results = list(await hold.persist(lambda: deps.store.windows(job.id)))
    if unsure := unsettled(results):
        results = await _settled(deps, hold, pump, options, unsure, results)
    results.sort(key=lambda result: (result.window.start, result.window.channel or 0))
    numbered = [replace(each, window=replace(each.window, index=index)) for index, each in enumerate(results)]
    return about(pump, options, numbered, job.audio_seconds or 0.0), numbered


async def _settled(
    deps: Deps,
    hold: Hold,
    pump: Pump,
    options: Options,
    unsure: Mapping[Window, str],
    results: list[WindowResult],
) -> list[WindowResult]:
    """The results with the unsure ones heard again, part by part. Whoever is cut short here does it once more."""
    for part in await hold.persist(lambda: deps.store.parts(hold.claim.job.id)):
        own = {window: unsure[window] for window in unsure if part.start <= window.start < part.end}
        if own:
            passage = Passage(deps, hold, pump, part.seconds, part.start)
            cut = await _cut(deps, hold, part, pump.rules(options), options, passage)
            results = await once_more(passage, cut, options, own, results, record=False)
    return results


async def _cut(deps: Deps, hold: Hold, part: Part, rules: CutRules, options: Options, passage: Passage) -> Cut:
    """The windows of a part, in times of the file."""
    kept = bytearray()
    with deps.metrics.stage_seconds.labels("fetch").time():
        async for chunk in deps.objects.get(part_key(hold.claim.job.id, part.number)):
            hold.check()
            kept += chunk
    blocks = blocks_of(kept, part if options.apart else None)
    return moved(windows(blocks, rules=rules, listened=passage.listened), part.start)
