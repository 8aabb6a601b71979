"""What the store in memory shows of its jobs: lists, a result to reuse, what waits before a job; as `sql/` has it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from whisper_transcriber.domain.job import Job
from whisper_transcriber.domain.outlook import Outlook
from whisper_transcriber.store.memory_rows import Row
from whisper_transcriber.store.port import Filters

_RECENT = 20


def listed(rows: Mapping[UUID, Row], limit: int, after: UUID | None, filters: Filters) -> Sequence[Job]:
    """The jobs that the filters ask for, newest first."""
    found = sorted(rows.values(), key=lambda row: -row.order)
    if after is not None:
        last = rows.get(after)
        own = last is not None and last.job.tenant == filters.tenant
        found = [row for row in found if last and own and row.order < last.order]
    return [row.job for row in found if _asked(row.job, filters)][:limit]


def _asked(job: Job, filters: Filters) -> bool:
    return (
        job.tenant == filters.tenant
        and filters.status in (None, job.status)
        and filters.model in (None, job.request.model)
        and (filters.created_after is None or job.created_at >= filters.created_after)
        and (filters.created_before is None or job.created_at < filters.created_before)
        and filters.metadata.items() <= job.metadata.items()
    )


def reusable(rows: Iterable[Row], tenant: str, fingerprint: str) -> Job | None:
    """The newest job that succeeded at the same request with the weights that its model has now."""
    rows = list(rows)
    for row in _succeeded(rows):
        job = row.job
        if (job.tenant, job.request.fingerprint) == (tenant, fingerprint) and not row.synchronous:
            own = [each.job for each in _succeeded(rows) if each.job.request.model == job.request.model]
            newest = next((each for each in own if each.reused_from is None), None)
            if newest is not None and newest.model_digest == job.model_digest:
                return job
    return None


def _succeeded(rows: Iterable[Row]) -> list[Row]:
    """Those that succeeded, the newest end first."""
    done = [row for row in rows if row.job.status == "succeeded"]
    return sorted(done, key=lambda row: (row.job.finished_at or row.job.created_at, row.order), reverse=True)


def looked_out(row: Row, rows: Iterable[Row], now: datetime) -> Outlook:
    """What waits before a job, and how fast the service is."""
    rows = list(rows)
    recent = [
        each.job
        for each in _succeeded(rows)
        if each.job.reused_from is None and each.job.request.model == row.job.request.model
    ][:_RECENT]
    lengths = [job.audio_seconds for job in recent if job.audio_seconds is not None]
    typical = sum(lengths) / len(lengths) if lengths else None
    before = [each.job for each in rows if row.job.status == each.job.status == "queued" and _turn(each) < _turn(row)]
    running = [each.job for each in rows if each.job.status == "running"]
    remaining = sum(max(job.audio_seconds - job.processed_seconds, 0.0) for job in running if job.audio_seconds)
    waiting = sum((typical or 0.0) if job.audio_seconds is None else job.audio_seconds for job in before)
    pace = sum(job.processed_seconds / took for job in running if (took := _seconds(job, now)) > 0)
    spent = sum(_seconds(job, now) for job in recent)
    return Outlook(len(before), waiting + remaining, typical, pace or (sum(lengths) / spent if spent else None))


def _turn(row: Row) -> tuple[object, ...]:
    return (-row.job.request.priority, row.due(None), row.order)


def _seconds(job: Job, now: datetime) -> float:
    """How long a job has run, or ran."""
    return ((job.finished_at or now) - job.started_at).total_seconds() if job.started_at else 0.0
