"""One claim from its start to its end, whatever happens in between: a job's opening, one part of it, or its closing."""

import asyncio
from typing import Literal

from whisper_transcriber.batching import Pump
from whisper_transcriber.bell.port import HOOKS, WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.domain.audio import AudioTooLong, InvalidAudio
from whisper_transcriber.domain.job import Claim, ErrorCode, Failure, Job, folder, parts_folder
from whisper_transcriber.domain.model import BrokenEngine, ModelUnavailable
from whisper_transcriber.domain.options import UnsupportedOption
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Missing, Unreadable
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.port import StaleClaim, Unavailable
from whisper_transcriber.worker.desk import Desk, longest
from whisper_transcriber.worker.hold import Hold, Stopping, held
from whisper_transcriber.worker.models import Models
from whisper_transcriber.worker.opening import learn, short_file, split
from whisper_transcriber.worker.parts import forget_part, put_together, transcribe_part
from whisper_transcriber.worker.source import audio_file
from whisper_transcriber.worker.traces import claimed
from whisper_transcriber.worker.transcribe import transcribe

log = Log(__name__)
Outcome = Literal["opened", "part_done", "succeeded", "failed", "postponed", "handed_back", "crashed", "dropped"]

# Whose fault it is, most particular first: these end the job, everything else is ours or the world's.
_REFUSALS: tuple[tuple[type[Exception], ErrorCode], ...] = (
    (AudioTooLong, "audio_too_long"),
    (InvalidAudio, "invalid_audio"),
    (FetchFailed, "fetch_failed"),
    (ModelUnavailable, "model_unavailable"),
    (UnsupportedOption, "unsupported_option"),
)


def refusal(error: Exception) -> Failure | None:
    """The failure that an error means for the job; None if trying again may help."""
    for kind, code in _REFUSALS:
        if isinstance(error, kind):
            return Failure(code, _sentence(str(error) or code))
    return None


async def attempt(deps: Deps, models: Models, desk: Desk, claim: Claim, stop: asyncio.Event) -> Outcome:
    """Work on a claim until what was claimed has ended or is somebody else's again. Never raises for the job's sake.

    Where the job's last part ends with it, the job is closed too.
    """
    with claimed(deps, claim) as span:
        outcome, close = await _attempt(deps, models, desk, claim, stop)
        span.note({"whisper.claim.outcome": outcome})
        if outcome in ("failed", "crashed"):
            span.failed(outcome)
    return outcome if close is None else await attempt(deps, models, desk, close, stop)


async def _attempt(
    deps: Deps, models: Models, desk: Desk, claim: Claim, stop: asyncio.Event
) -> tuple[Outcome, Claim | None]:
    about = {"job": claim.job.id, "kind": claim.kind, "part": claim.key[1], "attempt": claim.attempt}
    log.info("Claimed job", **about, model=claim.job.request.model)
    close: Claim | None = None
    try:
        async with held(deps, claim, stop) as hold:
            outcome = await _work(deps, models, desk, hold)
            close = hold.close
    except StaleClaim:
        outcome = "dropped"
        await _orphans(deps, claim)
    except Unavailable as error:
        log.warning("Left a claim to run out", job=claim.job.id, reason=str(error))
        outcome = "dropped"
    deps.metrics.jobs.labels(outcome).inc()
    log.info("Left job", **about, outcome=outcome)
    return outcome, close


async def _work(deps: Deps, models: Models, desk: Desk, hold: Hold) -> Outcome:
    job = hold.claim.job
    if (failures := hold.claim.failures) >= deps.settings.max_failures:
        what = "this file" if hold.claim.part is None else _stretch(hold.claim.part)
        message = f"The service failed {failures} times in a row at {what} without getting any further."
        return await _fail(deps, hold, Failure("internal_error", message))
    try:
        return await _do(deps, models, desk, hold)
    except Stopping:
        return await _hand_back(deps, hold, "handed_back")
    except (Unavailable, ObjectsUnavailable) as error:
        deps.metrics.errors.labels("unavailable").inc()
        log.warning("Handed back a job until the world has changed", job=job.id, reason=str(error))
        return await _hand_back(deps, hold, "handed_back")
    except BrokenEngine as error:
        # Whoever comes after this process may do better. If it was this claim's window that broke it, that counts.
        models.lost = error
        hold.end()
        return await _hand_back(deps, hold, "crashed" if error.suspect else "handed_back")
    except Missing:
        return await _fail(deps, hold, Failure("internal_error", "The audio is gone from the object store."))
    except Unreadable as error:
        log.error("Could not read what was written", job=job.id, reason=str(error))
        return await _fail(deps, hold, Failure("internal_error", "What the object store holds cannot be read."))
    except StaleClaim:
        raise
    except Exception as error:
        if (failure := refusal(error)) is not None:
            return await _fail(deps, hold, failure)
        deps.metrics.errors.labels("crash").inc()
        log.error("Failed at a job", trace=True, job=job.id, attempt=hold.claim.attempt)
        return await _hand_back(deps, hold, "crashed")


async def _do(deps: Deps, models: Models, desk: Desk, hold: Hold) -> Outcome:
    job, part = hold.claim.job, hold.claim.part
    async with models.using(job.request.model) as pump:
        if part is not None:
            again = await transcribe_part(deps, hold, part, pump, lambda: desk.cut(hold.claim))
            hold.close = await hold.persist(lambda: deps.store.finish_part(hold.claim, hold.lease))
            if not again:
                await forget_part(deps, hold, part)
            desk.effort.did(part.seconds)
            return "part_done"
        if hold.claim.kind == "close":
            with deps.tracing.span("stitch"):
                whole = await put_together(deps, hold, pump)
            return await _succeed(deps, hold, *whole)
        return await _open(deps, desk, hold, pump)


async def _open(deps: Deps, desk: Desk, hold: Hold, pump: Pump) -> Outcome:
    async with audio_file(deps, hold.claim.job, hold) as path:
        file = await learn(deps, hold, path, pump.engine)
        if (short := await short_file(deps, hold, file)) is not None:
            about, windows = await transcribe(deps, hold, short, pump)
            outcome = await _succeed(deps, hold, about, windows)
            desk.effort.did(about.duration)
            return outcome
        if desk.opening.locked() and (file.seconds or 0.0) > longest(deps.settings):
            # Another worker may open it now; we ask for none that is known to be so long while we open one.
            return await _hand_back(deps, hold, "postponed")
        async with desk.opening:
            hold.close = await split(deps, hold, file, desk)
    return "opened"


async def _succeed(deps: Deps, hold: Hold, about: results.About, windows: list[WindowResult]) -> Outcome:
    job = hold.claim.job
    hold.check_lost()
    # Record, then close the claim: a crash in between repeats the recording, never loses it.
    with deps.tracing.span("record result", {"whisper.audio.seconds": about.duration}):
        await results.write(deps.objects, job.id, about, windows)
        done = await hold.persist(lambda: deps.store.succeed(hold.claim, about.language, about.duration))
    if done.real_time_factor is not None:
        deps.metrics.real_time_factor.observe(done.real_time_factor)
    await _over(deps, done)
    return "succeeded"


async def _fail(deps: Deps, hold: Hold, failure: Failure) -> Outcome:
    deps.metrics.errors.labels(failure.code).inc()
    log.info("Refused job", job=hold.claim.job.id, code=failure.code, reason=failure.message)
    await _over(deps, await hold.persist(lambda: deps.store.fail(hold.claim, failure)))
    return "failed"


async def _hand_back(deps: Deps, hold: Hold, outcome: Outcome) -> Outcome:
    await hold.persist(lambda: deps.store.hand_back(hold.claim, failed=outcome == "crashed"))
    await deps.bell.ring(WORK)
    return outcome


async def _over(deps: Deps, job: Job) -> None:
    """Tell who waits for the job; and nobody needs the audio of its parts any more, which goes with the job at last."""
    await deps.bell.ring(ended(job.id))
    if job.webhook is not None or job.output is not None:
        await deps.bell.ring(HOOKS)
    if job.parts:
        try:
            await deps.objects.delete_folder(parts_folder(job.id))
        except ObjectsUnavailable as error:
            log.warning("Could not delete the parts of a job, left them to its deletion", job=job.id, reason=str(error))


async def _orphans(deps: Deps, claim: Claim) -> None:
    """Delete what was still written for a job after it was deleted: nobody else knows of it."""
    try:
        if claim.part is None and await deps.store.get(claim.job.id) is None:
            await deps.objects.delete_folder(folder(claim.job.id))
    except (Unavailable, ObjectsUnavailable) as error:
        log.warning("Could not look after a deleted job", job=claim.job.id, reason=str(error))


def _stretch(part: Part) -> str:
    return f"{part.start:.0f} to {part.end:.0f} s of this file"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
