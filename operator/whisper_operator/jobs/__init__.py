"""A TranscriptionJob's way: wait for the transcriber, hand over, follow, report, expire. One small step a call.

Handing over twice is harmless: the CR's uid is the idempotency key.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import find
from whisper_operator.api.v1alpha1.job import JobStatus, TranscriptionJob
from whisper_operator.api.v1alpha1.transcriber import TranscriberStatus
from whisper_operator.cluster.port import Cluster, Kind, Manifest
from whisper_operator.errors import InvalidSpec, Transient
from whisper_operator.jobs.request import Keys, NotThereYet, SecretNotFound, authorities, fields, upload, webhook
from whisper_operator.jobs.state import (
    CANCELLED,
    ENDED,
    SUCCEEDED,
    News,
    conditions,
    ended,
    expires,
    pascal,
    pause,
    read,
    written,
)
from whisper_operator.judge import merged
from whisper_operator.logs import Log
from whisper_operator.reconcile import TRANSCRIBER, Outcome
from whisper_operator.reconcile.events import Budget, record, told
from whisper_operator.reconcile.report import rendered, write
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Delivery, Job, Refused, Transcripts, Unauthorised, UnknownJob

__all__ = ["TRANSCRIPTION_JOB", "Keys", "abandon", "authorities", "follow"]

TRANSCRIPTION_JOB = Kind(names.API_VERSION, names.JOB_KIND)
log = Log(__name__)


async def follow(
    cluster: Cluster, api: Transcripts, keys: Keys, namespace: str, name: str, settings: Settings, now: datetime
) -> Outcome:
    """One step of one job. Raises: Transient, Rejected (by Kubernetes; the transcriber's troubles are reported)."""
    body = await cluster.get(TRANSCRIPTION_JOB, namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return Outcome(gone=True)
    old = JobStatus.model_validate(body.get("status") or {})
    known = {key: value for key, value in (body.get("status") or {}).items() if key != "conditions"}
    done = find(old.conditions, SUCCEEDED)
    try:
        cr = TranscriptionJob.parse(body)
        if done and done.status != "Unknown":
            if old.observed_generation != cr.metadata.generation:
                same = News(done.status, done.reason, done.message, known)
                await _report(cluster, body, old, same, now, settings.identity)
            return await _expire(cluster, cr, old, now)
        news = await _advance(cluster, api, keys, cr, known, now)
    except InvalidSpec as error:
        news = ended(now, "InvalidSpec", str(error), known)
    await _report(cluster, body, old, news, now, settings.identity)
    if news.status != "Unknown":
        return Outcome(again=0.1)  # once more, for the expiry
    since = datetime.fromisoformat(news.fields.get("startTime") or body["metadata"]["creationTimestamp"])
    # Secrets are not watched: the next look at what is stalled reads them anew.
    waiting = "stalled" if news.reason == SecretNotFound.reason else "waiting"
    return Outcome("ok" if "jobId" in news.fields else waiting, pause(since, now))


async def abandon(api: Transcripts, keys: Keys, body: Manifest) -> None:
    """Cancel the job of a TranscriptionJob that was deleted. Best effort: deletion must never hang on an API."""
    status, meta = JobStatus.model_validate(body.get("status") or {}), body["metadata"]
    done = find(status.conditions, SUCCEEDED)
    if status.job_id is None or (done and done.status != "Unknown"):
        return
    transcriber = body["spec"]["transcriberRef"]["name"]
    try:
        key = await keys.get(meta["namespace"], transcriber)
        trusted = await authorities(keys.cluster, meta["namespace"], transcriber)
        await api.cancel(api.way(meta["namespace"], transcriber, trusted), key, status.job_id)
        log.info("Cancelled the job of a deleted resource", job=f"{meta['namespace']}/{meta['name']}")
    except (Transient, Refused, UnknownJob) as error:
        log.warning("Could not cancel the job of a deleted resource", job=status.job_id, error=str(error))


async def _advance(
    cluster: Cluster, api: Transcripts, keys: Keys, cr: TranscriptionJob, known: Mapping[str, Any], now: datetime
) -> News:
    if cr.spec.cancel and "jobId" not in known:
        return ended(now, CANCELLED, "The job was cancelled before it was handed over.", known)
    transcriber = cr.spec.transcriber_ref.name
    try:
        job, writing = await _ask(cluster, api, keys, cr, known.get("jobId"))
    except NotThereYet as missing:
        return News("Unknown", missing.reason, str(missing), known)
    except Refused as refused:
        return ended(now, pascal(refused.code), str(refused), known)
    except Transient as trouble:
        if isinstance(trouble, Unauthorised):
            keys.forget(cr.namespace, transcriber)
        reason = "Running" if "jobId" in known else "WaitingForTranscriber"
        return News("Unknown", reason, await _why(cluster, cr, trouble), known)
    tls = await authorities(cluster, cr.namespace, transcriber) is not None
    news = read(job, cr, names.endpoint(transcriber, cr.namespace, tls=tls), now)
    return written(news, cr, job, writing) if cr.spec.output and news.status == "True" else news


async def _ask(
    cluster: Cluster, api: Transcripts, keys: Keys, cr: TranscriptionJob, job_id: str | None
) -> tuple[Job, Delivery | None]:
    """The job as the API has it, and what came of writing its result; handed over if the API does not have it."""
    transcriber = cr.spec.transcriber_ref.name
    way = api.way(cr.namespace, transcriber, await authorities(cluster, cr.namespace, transcriber))
    key = await keys.get(cr.namespace, transcriber)
    if job_id is not None:
        try:
            job = await (api.cancel if cr.spec.cancel else api.get)(way, key, job_id)
            wanted = cr.spec.output and job.status == "succeeded"
            return job, await api.writing(way, key, job) if wanted else None
        except UnknownJob:
            log.warning("The transcriber lost a job, handing it over again", job=cr.key, id=job_id)
    asked = fields(cr) | await webhook(cluster, cr)
    job = await api.submit(way, key, cr.metadata.uid, asked, await upload(cluster, cr))
    log.info("Handed a job over", job=cr.key, transcriber=transcriber, id=job.id)
    return job, None


async def _why(cluster: Cluster, cr: TranscriptionJob, trouble: Transient) -> str:
    """Why the API could not be asked, in the words of the transcriber's own conditions where they know."""
    name = cr.spec.transcriber_ref.name
    found = await cluster.get(TRANSCRIBER, cr.namespace, name)
    if found is None:
        return f"WhisperTranscriber {name} does not exist in namespace {cr.namespace}: create it."
    status = TranscriberStatus.model_validate(found.get("status") or {})
    ready = find(status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return f"WhisperTranscriber {name} is not ready: {ready.message if ready else 'nobody has looked at it yet.'}"
    return f"WhisperTranscriber {name}: {trouble}; trying again."


async def _expire(cluster: Cluster, cr: TranscriptionJob, status: JobStatus, now: datetime) -> Outcome:
    left = expires(status, cr.spec.ttl_seconds_after_finished, now)
    if left is None:
        return Outcome(gone=True)
    if left > 0:
        return Outcome(again=left)
    log.info("Deleted an expired job", job=cr.key)
    await cluster.delete(TRANSCRIPTION_JOB, cr.namespace, cr.name, uid=cr.metadata.uid)
    return Outcome(gone=True)


async def _report(cluster: Cluster, body: Manifest, old: JobStatus, news: News, now: datetime, reporter: str) -> None:
    generation = body["metadata"]["generation"]
    fresh = conditions(news, unwanted=bool((body.get("spec") or {}).get("cancel")))
    judged = merged(old.conditions, fresh, generation, now)
    status = {**news.fields, "observedGeneration": generation, "conditions": rendered(judged)}
    if await write(cluster, body, status) and news.status in ENDED.values():
        # A job ends once: it needs no memory of what was told.
        turned = told(body, old.conditions, judged, now, reporter)
        await record(cluster, filter(None, [turned]), Budget(), now)
