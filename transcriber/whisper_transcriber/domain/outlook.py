"""When a job will be done: its place in the queue, and a guess from how fast the service has been lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from whisper_transcriber.domain.job import Job


@dataclass(frozen=True)
class Outlook:
    """What waits before a job. `rate`: seconds of audio that the service transcribes in a second; None: unknown.

    `ahead` queued jobs, of `ahead_seconds` of audio with what is left of the running ones, go first as things are now;
    those of unknown length are taken to be `typical_seconds` long, as jobs lately were.
    """

    ahead: int
    ahead_seconds: float
    typical_seconds: float | None = None
    rate: float | None = None


def position(job: Job, outlook: Outlook) -> int | None:
    """The place in the queue, 1 for the next; None for a job that does not wait."""
    return outlook.ahead + 1 if job.status == "queued" else None


def expected_end(job: Job, outlook: Outlook, now: datetime) -> datetime | None:
    """When a job will be done if nothing changes; None if it has ended or nobody can tell.

    A running job is judged by its own pace once it has got anywhere, a queued one by the service's.
    """
    if job.ended:
        return None
    seconds = outlook.typical_seconds if job.audio_seconds is None else job.audio_seconds
    if seconds is None:
        return None
    left = max(seconds - job.processed_seconds, 0.0)
    if job.status == "running" and job.started_at and job.processed_seconds > 0:
        taken = (now - job.started_at).total_seconds()
        return now + timedelta(seconds=left * taken / job.processed_seconds)
    if not outlook.rate:
        return None
    ahead = outlook.ahead_seconds if job.status == "queued" else 0.0
    return now + timedelta(seconds=(ahead + left) / outlook.rate)
