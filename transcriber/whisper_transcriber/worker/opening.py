"""The first touch of a job: is it short, then it is done at once; is it long, then it becomes parts for any worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from whisper_transcriber.audio import Decoding, Kept, Limits, Pcm, beginning, headers, parts, pcm_bytes
from whisper_transcriber.bell.port import WORK, moved
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.audio import InvalidAudio, Samples
from whisper_transcriber.domain.job import Claim, Job, part_key
from whisper_transcriber.domain.parts import Part, PartRules
from whisper_transcriber.engine import Engine
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Facts
from whisper_transcriber.worker.calm import NICENESS
from whisper_transcriber.worker.desk import Desk, longest
from whisper_transcriber.worker.hold import Hold
from whisper_transcriber.worker.transcribe import File

log = Log(__name__)
_CHUNK = 1024**2


async def learn(deps: Deps, hold: Hold, path: Path, engine: Engine) -> File:
    """The file, and what its headers say recorded, before a sample is decoded. Raises InvalidAudio."""
    said = await asyncio.to_thread(headers, path)
    facts = Facts(model_digest=engine.digest, engine=engine.name, audio_seconds=said.seconds)
    await hold.persist(lambda: deps.store.learn(hold.claim, facts))
    apart = hold.claim.job.request.options.apart
    limits = Limits(max_seconds=deps.settings.max_audio_seconds)
    return File(path, limits, said.channels if apart else None, said.seconds)


async def short_file(deps: Deps, hold: Hold, file: File) -> File | None:
    """The file, if it is to be transcribed as a whole; None if it is long.

    It is what it was for an earlier attempt: one that has recorded windows but no parts began it as a whole.
    """
    job = hold.claim.job
    if job.parts:
        return None
    if job.windows_done:
        return file
    if file.seconds is not None and file.seconds > longest(deps.settings):
        return None
    with deps.tracing.span("decode audio"), await asyncio.to_thread(file.decode) as decoding:
        with deps.metrics.stage_seconds.labels("decode").time():
            long, blocks = await asyncio.to_thread(beginning, _checked(decoding, hold), _rules(deps))
        if long:
            return None
        return file if blocks is None else replace(file, kept=Kept(blocks, decoding.warning))


async def split(deps: Deps, hold: Hold, file: File, desk: Desk) -> Claim | None:
    """Cut a long file into parts, each claimable as soon as its object is written. Parts that are there stay.

    Never more than a few parts ahead of what is transcribed: audio as it is cut is many times as large as it was sent.
    Returns the claim to close the job, if all parts are done by then.

    Raises:
        InvalidAudio: the user must send another file.
        StaleClaim, Stopping: from the hold.
    """
    job = hold.claim.job
    known = await hold.persist(lambda: deps.store.parts(job.id))
    calm = replace(file, limits=replace(file.limits, niceness=NICENESS))  # short files are decoded before a long one
    with deps.tracing.span("decode audio"), await asyncio.to_thread(calm.decode) as decoding:
        cut = parts(_checked(decoding, hold), _rules(deps), known[-1] if known else None)
        while (part := await _put_next(deps, job, cut)) is not None:
            await hold.persist(lambda part=part: deps.store.add_part(hold.claim, part, hold.lease))  # type: ignore[misc]
            await deps.bell.ring(WORK)
            await _not_too_far(deps, hold, desk)
        seconds, warning = decoding.seconds, decoding.warning
    if seconds == 0:
        raise InvalidAudio("The file holds no audio.")
    if warning:
        log.warning("Decoded only a part of the audio", job=job.id, reason=warning)
    return await hold.persist(lambda: deps.store.opened(hold.claim, seconds, hold.lease))


async def _put_next(deps: Deps, job: Job, cut: Iterator[tuple[Part, Pcm]]) -> Part | None:
    """Cut the next part, if there is one, and write its audio, of which nothing is kept here: the next may be long in
    coming."""
    found = await asyncio.to_thread(_next, deps, cut)
    if found is None:
        return None
    part, audio = found
    await deps.objects.put(part_key(job.id, part.number), _chunks(audio))
    return part


def _next(deps: Deps, cut: Iterator[tuple[Part, Pcm]]) -> tuple[Part, bytes] | None:
    with deps.metrics.stage_seconds.labels("decode").time():
        found = next(cut, None)
        return found and (found[0], pcm_bytes(found[1]))


async def _not_too_far(deps: Deps, hold: Hold, desk: Desk) -> None:
    """Wait while as many parts as may be are not transcribed yet; the decoder waits too."""
    if await _waiting(deps, hold) < deps.settings.parts_ahead:
        return
    log.info("Paused the opening of a long file", job=hold.claim.job.id, parts=deps.settings.parts_ahead)
    async with desk.pausing(), deps.bell.listen(moved(hold.claim.job.id)) as ear:
        while await _waiting(deps, hold) >= deps.settings.parts_ahead:
            await ear.heard(min(1.0, deps.settings.poll_seconds))


async def _waiting(deps: Deps, hold: Hold) -> int:
    """How many parts are in the object store and not done."""
    hold.check()
    job = await hold.persist(lambda: deps.store.get(hold.claim.job.id))
    return 0 if job is None else job.parts - job.parts_done


def _rules(deps: Deps) -> PartRules:
    return PartRules.of(deps.settings.part_seconds)


def _checked(blocks: Decoding, hold: Hold) -> Iterator[Samples]:
    for block in blocks:
        hold.check()
        yield block


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        yield body[start : start + _CHUNK]
