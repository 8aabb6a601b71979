"""One claim from its start to its end, whatever happens in between."""

import asyncio
from typing import Literal

from whisper_transcriber.bell.port import WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.domain.audio import AudioTooLong, InvalidAudio
from whisper_transcriber.domain.job import Claim, ErrorCode, Failure, Job
from whisper_transcriber.domain.model import ModelUnavailable
from whisper_transcriber.domain.options import UnsupportedOption
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.store.port import StaleClaim, Unavailable
from whisper_transcriber.worker.hold import Hold, Stopping, held
from whisper_transcriber.worker.models import Models
from whisper_transcriber.worker.source import audio_file
from whisper_transcriber.worker.transcribe import transcribe

log = Log(__name__)
Outcome = Literal["succeeded", "failed", "handed_back", "crashed", "dropped"]

# Whose fault it is, most particular first: these end the job, everything else is ours or the world's.
_REFUSALS: tuple[tuple[type[Exception], ErrorCode], ...] = (
    (AudioTooLong, "audio_too_long"),
    (InvalidAudio, "invalid_audio"),
    (FetchFailed, "fetch_failed"),
    (ModelUnavailable, "model_unavailable"),
    (UnsupportedOption, "model_unavailable"),
)


def refusal(error: Exception) -> Failure | None:
    """The failure that an error means for the job; None if trying again may help."""
    for kind, code in _REFUSALS:
        if isinstance(error, kind):
            return Failure(code, _sentence(str(error) or code))
    return None


async def attempt(deps: Deps, models: Models, claim: Claim, stop: asyncio.Event) -> Outcome:
    """Work on a claim until the job has ended or is somebody else's again. Never raises for the job's sake."""
    log.info("Claimed job", job=claim.job.id, attempt=claim.attempt, model=claim.job.request.model)
    try:
        async with held(deps, claim, stop) as hold:
            outcome = await _work(deps, models, hold)
    except StaleClaim:
        outcome = "dropped"
    except Unavailable as error:
        log.warning("Left a claim to run out", job=claim.job.id, reason=str(error))
        outcome = "dropped"
    deps.metrics.jobs.labels(outcome).inc()
    log.info("Left job", job=claim.job.id, attempt=claim.attempt, outcome=outcome)
    return outcome


async def _work(deps: Deps, models: Models, hold: Hold) -> Outcome:
    job = hold.claim.job
    if job.failures >= deps.settings.max_failures:
        message = f"The service failed {job.failures} times in a row at this file without getting any further."
        return await _fail(deps, hold, Failure("internal_error", message))
    try:
        return await _succeed(deps, models, hold)
    except Stopping:
        return await _hand_back(deps, hold, "handed_back")
    except (Unavailable, ObjectsUnavailable) as error:
        log.warning("Handed back a job until the world has changed", job=job.id, reason=str(error))
        return await _hand_back(deps, hold, "handed_back")
    except Missing:
        return await _fail(deps, hold, Failure("internal_error", "The audio is gone from the object store."))
    except StaleClaim:
        raise
    except Exception as error:
        if (failure := refusal(error)) is not None:
            return await _fail(deps, hold, failure)
        log.error("Failed at a job", trace=True, job=job.id, attempt=hold.claim.attempt)
        return await _hand_back(deps, hold, "crashed")


async def _succeed(deps: Deps, models: Models, hold: Hold) -> Outcome:
    job = hold.claim.job
    async with models.using(job.request.model) as pipeline, audio_file(deps, job, hold) as path:
        about, windows = await transcribe(deps, hold, path, pipeline)
    hold.check_lost()
    # Record, then close the claim: a crash in between repeats the recording, never loses it.
    await results.write(deps.objects, job.id, about, windows)
    done = await hold.persist(lambda: deps.store.succeed(hold.claim, about.language, about.duration))
    if done.real_time_factor is not None:
        deps.metrics.real_time_factor.observe(done.real_time_factor)
    await _tell(deps, done)
    return "succeeded"


async def _fail(deps: Deps, hold: Hold, failure: Failure) -> Outcome:
    log.info("Refused job", job=hold.claim.job.id, code=failure.code, reason=failure.message)
    await _tell(deps, await hold.persist(lambda: deps.store.fail(hold.claim, failure)))
    return "failed"


async def _hand_back(deps: Deps, hold: Hold, outcome: Outcome) -> Outcome:
    await hold.persist(lambda: deps.store.hand_back(hold.claim, failed=outcome == "crashed"))
    await deps.bell.ring(WORK)
    return outcome


async def _tell(deps: Deps, job: Job) -> None:
    await deps.bell.ring(ended(job.id))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
