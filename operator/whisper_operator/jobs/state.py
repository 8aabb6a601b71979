"""What a job's answer means for its status: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from whisper_operator.api.v1alpha1.conditions import Condition, Status
from whisper_operator.api.v1alpha1.job import FORMATS, JobStatus, TranscriptionJob
from whisper_operator.reconcile.report import timestamp
from whisper_operator.transcripts import Delivery, Job

SUCCEEDED, CANCELLED = "Succeeded", "Cancelled"
ENDED: Mapping[str, Status] = {"succeeded": "True", "failed": "False", "cancelled": "False"}
FASTEST, SLOWEST = 1.0, 5.0


@dataclass(frozen=True)
class News:
    """The Succeeded condition and the other fields of a TranscriptionJob's status."""

    status: Status
    reason: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def read(job: Job, cr: TranscriptionJob, endpoint: str, now: datetime) -> News:
    """The news in an answer of the API. `endpoint` is where the results can be fetched from."""
    ended = ENDED.get(job.status, "Unknown")
    fields = {
        "jobId": job.id,
        "progress": 100 if job.status == "succeeded" else min(max(job.progress, 0), 100),
        "audioSeconds": _rounded(job.audio_seconds),
        "processedSeconds": _rounded(job.processed_seconds),
        "language": job.language,
        "model": job.model,
        "modelDigest": job.model_digest,
        "engine": job.engine,
        "realTimeFactor": _rounded(job.real_time_factor, 4),
        "results": results(job, cr.spec.formats, endpoint),
        "startTime": _time(job.started_at),
        "completionTime": (_time(job.finished_at) or timestamp(now)) if ended != "Unknown" else None,
    }
    reason, message = _said(job)
    return News(ended, reason, message, {key: value for key, value in fields.items() if value not in (None, {})})


def written(news: News, cr: TranscriptionJob, job: Job, writing: Delivery | None) -> News:
    """The news of a job that succeeded and whose result is to be written somewhere: it is not at its end before."""
    wanted = job.output.url if job.output else cr.spec.output and cr.spec.output.s3.url
    if writing and writing.status == "delivered" and job.output:
        outputs = {**news.fields, "outputs": dict(job.output.objects)}
        return News("True", "Succeeded", f"The transcript is ready, and is written to {wanted}.", outputs)
    if writing and writing.status == "failed":
        said = f"The transcript is ready, but could not be written to {wanted}: {_failure(writing)}. It is given up."
        return News("False", "OutputFailed", said, news.fields)
    fields = {name: value for name, value in news.fields.items() if name != "completionTime"}
    if not writing or not writing.attempts:
        return News("Unknown", "WritingOutput", f"The transcript is ready, and is being written to {wanted}.", fields)
    advice = f"It is tried again; see spec.output.s3 of WhisperTranscriber {cr.spec.transcriber_ref.name}"
    said = f"The transcript is ready, but could not be written to {wanted}: {_failure(writing)}. {advice}."
    return News("Unknown", "OutputFailed", said, fields)


def _failure(writing: Delivery) -> str:
    return (writing.attempts[-1].error if writing.attempts else None) or "nobody knows why"


def ended(now: datetime, reason: str, message: str, known: Mapping[str, Any]) -> News:
    """A job that ends without the API's word: refused, cancelled before it began."""
    return News("False", reason, message, {**known, "completionTime": timestamp(now)})


def conditions(news: News, *, unwanted: bool) -> list[Condition]:
    """Succeeded, and what tools look at that know no jobs: Reconciling while it is not at its end, Stalled where it
    failed. One that is `unwanted` and was cancelled is what it should be.
    """
    failed = news.status == "False" and not (unwanted and news.reason == CANCELLED)
    return [
        Condition(type=SUCCEEDED, status=news.status, reason=news.reason, message=news.message),
        *(
            Condition(
                type=kind,
                status="True" if so else "False",
                reason=news.reason,
                message=news.message if so else "",
            )
            for kind, so in (("Reconciling", news.status == "Unknown"), ("Stalled", failed))
        ),
    ]


def results(job: Job, formats: Sequence[str], endpoint: str) -> dict[str, str]:
    """URLs of the results under the transcriber's endpoint, of these formats (none given: all)."""
    wanted = formats or FORMATS
    return {name: endpoint + path for name, path in job.results.items() if name in wanted}


def pause(since: datetime, now: datetime) -> float:
    """Seconds until the next look: soon while a job is young, slower as it grows old."""
    return min(SLOWEST, max(FASTEST, (now - since) / timedelta(seconds=20)))


def expires(status: JobStatus, ttl: int | None, now: datetime) -> float | None:
    """Seconds until an ended job may be deleted (0 or less: now), or None for never."""
    if ttl is None or status.completion_time is None:
        return None
    return (status.completion_time + timedelta(seconds=ttl) - now).total_seconds()


def pascal(code: str) -> str:
    """`invalid_audio` → `InvalidAudio`: a code as a condition's reason."""
    words = "".join(c if c.isalnum() else " " for c in code).split()
    return "".join(word[0].upper() + word[1:] for word in words) or "Failed"


def _said(job: Job) -> tuple[str, str]:
    match job.status:
        case "queued":
            return "Queued", "The transcriber has the job; a worker will take it."
        case "running":
            return "Running", f"{job.progress} % is transcribed."
        case "succeeded":
            return "Succeeded", "The transcript is ready."
        case "cancelled":
            return CANCELLED, "The job was cancelled."
    failure = job.error
    return pascal((failure and failure.code) or "internal_error"), (failure and failure.message) or "The job failed."


def _rounded(value: float | None, digits: int = 1) -> float | None:
    """What people read; more digits would only mean more writes."""
    return None if value is None else round(value, digits)


def _time(unix: float | None) -> str | None:
    return None if unix is None else timestamp(datetime.fromtimestamp(unix, UTC))
