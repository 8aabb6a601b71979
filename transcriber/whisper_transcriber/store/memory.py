"""The store in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob, Queue, Status
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.port import Facts, IdempotencyMismatch, StaleClaim


@dataclass
class _Row:
    job: Job
    order: int
    key: str | None
    synchronous: bool = False
    lease_until: float = 0.0
    windows: dict[int, str] = field(default_factory=dict)


class MemoryStore:
    """Jobs of one process; `clock` gives seconds. asyncio runs one method at a time, so no locks are needed."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rows: dict[UUID, _Row] = {}
        self._uploads: dict[UUID, float] = {}
        self._created = 0

    async def migrate(self) -> Sequence[str]:
        return []

    async def ready(self) -> None:
        return None

    async def begin_upload(self, job: UUID) -> None:
        self._uploads[job] = self._clock()

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        for row in self._rows.values():
            if new.idempotency_key is not None and (row.key, row.job.tenant) == (new.idempotency_key, new.tenant):
                if row.job.request.fingerprint != new.request.fingerprint:
                    raise IdempotencyMismatch(new.idempotency_key)
                return row.job, False
        self._created += 1
        self._uploads.pop(new.id, None)
        job = Job(new.id, new.request, "queued", self._now(), new.tenant)
        self._rows[new.id] = _Row(job, self._created, new.idempotency_key, new.synchronous)
        return job, True

    async def get(self, job: UUID) -> Job | None:
        row = self._rows.get(job)
        return row.job if row else None

    async def list(self, limit: int, after: UUID | None = None, status: Status | None = None) -> Sequence[Job]:
        rows = sorted(self._rows.values(), key=lambda row: -row.order)
        if after is not None:
            last = self._rows.get(after)
            rows = [row for row in rows if last and row.order < last.order]
        return [row.job for row in rows if status in (None, row.job.status)][:limit]

    async def claim(self, worker: str, lease: float) -> Claim | None:
        open_ = [row for row in self._rows.values() if row.job.status == "queued" or self._lapsed(row)]
        if not open_:
            return None
        row = min(open_, key=lambda row: (-row.job.request.priority, row.order))
        job = row.job
        row.job = replace(
            job,
            status="running",
            attempt=job.attempt + 1,
            failures=job.failures + (job.status == "running"),
            started_at=job.started_at or self._now(),
        )
        row.lease_until = self._clock() + lease
        return Claim(row.job, row.job.attempt, worker)

    async def renew(self, claim: Claim, lease: float) -> None:
        self._held(claim).lease_until = self._clock() + lease

    async def learn(self, claim: Claim, facts: Facts) -> None:
        row = self._held(claim)
        known = {name: value for name, value in vars(facts).items() if value is not None}
        row.job = replace(row.job, **known)

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        row = self._held(claim)
        again = sum(result.window.index in row.windows for result in results)
        row.windows |= {result.window.index: result.to_json() for result in results}
        row.lease_until = self._clock() + lease
        row.job = replace(
            row.job,
            failures=0,
            windows_done=row.job.windows_done + len(results) - again,
            windows_repeated=row.job.windows_repeated + again,
            processed_seconds=max([row.job.processed_seconds, *(result.window.end for result in results)]),
        )

    async def windows(self, job: UUID) -> Sequence[WindowResult]:
        row = self._rows.get(job)
        return [WindowResult.from_json(row.windows[index]) for index in sorted(row.windows)] if row else []

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        row = self._held(claim)
        row.job = replace(
            row.job,
            language=language,
            audio_seconds=audio_seconds,
            processed_seconds=audio_seconds,
            windows_total=row.job.windows_done,
        )
        return self._end(row, "succeeded")

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        row = self._held(claim)
        row.job = replace(row.job, failure=failure)
        return self._end(row, "failed")

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        row = self._held(claim)
        row.job = replace(row.job, status="queued", failures=row.job.failures + failed)

    async def cancel(self, job: UUID) -> Job | None:
        row = self._rows.get(job)
        if row is None or row.job.ended:
            return row.job if row else None
        return self._end(row, "cancelled")

    async def abandoned(self, upload: float, synchronous: float) -> Sequence[UUID]:
        uploads = [job for job, begun in self._uploads.items() if begun < self._clock() - upload]
        before = self._now() - timedelta(seconds=synchronous)
        jobs = [row.job for row in self._rows.values() if row.synchronous]
        return uploads + [job.id for job in jobs if job.finished_at is not None and job.finished_at < before]

    async def delete(self, job: UUID) -> bool:
        self._uploads.pop(job, None)
        return self._rows.pop(job, None) is not None

    async def queue(self) -> Queue:
        queued = [row.job for row in self._rows.values() if row.job.status == "queued"]
        running = sum(row.job.status == "running" for row in self._rows.values())
        now = self._now()
        oldest = min((job.created_at for job in queued), default=now)
        return Queue(len(queued), running, (now - oldest).total_seconds())

    async def close(self) -> None:
        return None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _lapsed(self, row: _Row) -> bool:
        return row.job.status == "running" and row.lease_until < self._clock()

    def _held(self, claim: Claim) -> _Row:
        row = self._rows.get(claim.job.id)
        if row is None or row.job.status != "running" or row.job.attempt != claim.attempt:
            raise StaleClaim(f"attempt {claim.attempt} of job {claim.job.id} is over")
        return row

    def _end(self, row: _Row, status: Status) -> Job:
        row.windows.clear()
        row.job = replace(row.job, status=status, finished_at=self._now())
        return row.job
