"""The store in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from whisper_transcriber.domain.demand import Team
from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob, Queue, Status
from whisper_transcriber.domain.outlook import Outlook
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.memory_batches import MemoryBatches
from whisper_transcriber.store.memory_files import MemoryFiles
from whisper_transcriber.store.memory_hooks import MemoryHooks
from whisper_transcriber.store.memory_keys import MemoryKeys
from whisper_transcriber.store.memory_rows import ASKED, NOBODY, PartRow, Row, busy, factor, measured, next_claim
from whisper_transcriber.store.memory_views import listed, looked_out, reusable
from whisper_transcriber.store.port import EVERYTHING, Facts, Filters, IdempotencyMismatch, StaleClaim


class MemoryStore:
    """Jobs of one process; `clock` gives seconds. asyncio runs one method at a time, so no locks are needed."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rows: dict[UUID, Row] = {}
        self._uploads: dict[UUID, float] = {}
        self.keys = MemoryKeys(clock, self._rows)
        self.files = MemoryFiles(clock)
        self.hooks = MemoryHooks(clock)
        self.batches = MemoryBatches(clock, lambda: self.keys.tenants)
        self._created = 0
        self._paces: dict[str, tuple[float, float, float]] = {}

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
        job = Job(new.id, new.request, "queued", self._now(), new.tenant, new.metadata)
        job = replace(job, **{name: getattr(new, name) for name in ASKED})
        row = self._rows[new.id] = Row(job, self._created, new.idempotency_key, new.synchronous, new.api_key)
        row.seeming_seconds = new.seeming_seconds
        before = self._rows.get(new.reused_from) if new.reused_from else None
        if before is not None and before.job.status == "succeeded" and before.job.tenant == new.tenant:
            same = ("language", "audio_seconds", "processed_seconds", "model_digest", "engine", "windows_done")
            row.change(
                **{name: getattr(before.job, name) for name in same},
                windows_total=before.job.windows_total,
                reused_from=before.job.id,
            )
            self.hooks.announce(row.change(status="succeeded", finished_at=self._now()), synchronous=row.synchronous)
        return row.job, True

    async def join(self, new: NewJob) -> tuple[Job, bool]:
        for row in self._rows.values():
            if (row.key, row.job.tenant) != (new.idempotency_key, new.tenant):
                continue
            if row.job.status in ("failed", "cancelled"):
                row.key = None
                continue
            row.waiters += 1
            if row.job.status == "parked":
                row.change(status="running" if row.parts else "queued", finished_at=None)
            return row.job, False
        return await self.create(new)

    async def leave(self, job: UUID) -> int:
        row = self._rows.get(job)
        if row is None:
            return 0
        row.waiters = max(row.waiters - 1, 0)
        if not row.waiters and row.job.status in ("queued", "running"):
            row.park(self._now())
        return row.waiters

    async def unname(self, job: UUID) -> bool:
        row = self._rows.get(job)
        if row is None or row.waiters:
            return False
        row.key = None
        return True

    async def get(self, job: UUID) -> Job | None:
        row = self._rows.get(job)
        return row.job if row else None

    async def find(self, jobs: Collection[UUID]) -> Mapping[UUID, Job]:
        return {job: self._rows[job].job for job in jobs if job in self._rows}

    async def list(self, limit: int, after: UUID | None = None, filters: Filters = EVERYTHING) -> Sequence[Job]:
        return listed(self._rows, limit, after, filters)

    async def outlook(self, job: UUID) -> Outlook | None:
        row = self._rows.get(job)
        return looked_out(row, self._rows.values(), self._now()) if row else None

    async def reusable(self, tenant: str, fingerprint: str) -> Job | None:
        return reusable(self._rows.values(), tenant, fingerprint)

    async def change(
        self, job: UUID, *, priority: int | None = None, metadata: Mapping[str, str] | None = None
    ) -> Job | None:
        row = self._rows.get(job)
        if row is None:
            return None
        if priority is not None:
            row.change(request=replace(row.job.request, priority=priority))
        return row.job if metadata is None else row.change(metadata=metadata)

    async def retry(self, job: UUID) -> Job | None:
        row = self._rows.get(job)
        if row is None or row.job.status not in ("failed", "cancelled"):
            return row.job if row else None
        fresh = Job(row.job.id, row.job.request, "queued", row.job.created_at, row.job.tenant, row.job.metadata)
        kept = ("language", "audio_seconds", "model_digest", "engine", "windows_repeated", *ASKED)
        row.job = replace(fresh, attempt=row.job.attempt + 1, **{name: getattr(row.job, name) for name in kept})
        return row.job

    async def claim(
        self, worker: str, lease: float, *, parts: bool = True, longest: float | None = None
    ) -> Claim | None:
        found = next_claim(self._rows.values(), self._clock(), parts, longest)
        if found is None:
            return None
        row, part = found
        if part is not None:
            part.failures += part.status == "running"
            part.status, part.attempt, part.claimed_at = "running", part.attempt + 1, self._now()
            part.lease_until, part.worker = self._clock() + lease, worker
            return Claim(row.job, part.attempt, worker, part.failures, part.part)
        job = row.job
        row.change(
            status="running",
            attempt=job.attempt + 1,
            failures=job.failures + (job.status == "running" and row.lease_until != NOBODY),
            started_at=job.started_at or self._now(),
        )
        return self._claim(row, worker, lease)

    async def renew(self, claim: Claim, lease: float) -> None:
        self._held(claim)[1].lease_until = self._clock() + lease

    async def add_part(self, claim: Claim, part: Part, lease: float) -> None:
        row = self._held_job(claim)
        if row.job.opened:
            raise _stale(claim)
        row.parts.setdefault(part.number, PartRow(part))
        row.change(parts=len(row.parts), failures=0)
        row.lease_until = self._clock() + lease

    async def parts(self, job: UUID) -> Sequence[Part]:
        row = self._rows.get(job)
        parts = [row.parts[number] for number in sorted(row.parts)] if row else []
        return [replace(each.part, done=each.status == "done") for each in parts]

    async def opened(self, claim: Claim, audio_seconds: float, lease: float) -> Claim | None:
        row = self._held_job(claim)
        if row.job.opened or not row.parts:
            raise _stale(claim)
        row.change(opened=True, audio_seconds=audio_seconds, failures=0, attempt=row.job.attempt + 1)
        row.lease_until = None
        return self._claim(row, claim.worker, lease) if row.job.complete else None

    async def finish_part(self, claim: Claim, lease: float) -> Claim | None:
        row, part = self._held(claim)
        assert isinstance(part, PartRow), "only a part is finished"
        done = row.job.processed_seconds + part.left
        part.status, part.processed, part.failures = "done", part.part.seconds, 0
        row.change(parts_done=row.job.parts_done + 1, processed_seconds=done)
        if not row.job.complete:
            return None
        row.change(attempt=row.job.attempt + 1)
        return self._claim(row, claim.worker, lease)

    async def learn(self, claim: Claim, facts: Facts) -> None:
        row = self._held_job(claim)
        row.change(**{name: value for name, value in vars(facts).items() if value is not None})

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        row, held = self._held(claim)
        number = claim.part.number if claim.part else 0
        again = sum((number, result.window.index) in row.windows for result in results)
        row.windows |= {(number, result.window.index): result.to_json() for result in results}
        held.lease_until = self._clock() + lease
        end = max((result.window.end for result in results), default=0.0)
        if isinstance(held, PartRow):
            before, held.failures = held.processed, 0
            held.processed = max(before, end - held.part.start)
            processed = row.job.processed_seconds + held.processed - before
        else:
            processed = max(row.job.processed_seconds, end)
            row.change(failures=0)
        row.change(
            windows_done=row.job.windows_done + len(results) - again,
            windows_repeated=row.job.windows_repeated + again,
            processed_seconds=processed,
        )

    async def windows(self, job: UUID, part: int | None = None) -> Sequence[WindowResult]:
        windows = self._rows[job].windows if job in self._rows else {}
        return [WindowResult.from_json(windows[key]) for key in sorted(windows) if part in (None, key[0])]

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        row = self._held_job(claim)
        row.change(
            language=language,
            audio_seconds=audio_seconds,
            processed_seconds=audio_seconds,
            windows_total=row.job.windows_done,
        )
        return self._end(row, "succeeded")

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        row, _ = self._held(claim)
        row.change(failure=failure)
        return self._end(row, "failed")

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        row, held = self._held(claim)
        if isinstance(held, PartRow):
            held.status, held.failures = "queued", held.failures + failed
        elif row.parts:
            row.change(failures=row.job.failures + failed, attempt=row.job.attempt + 1)
            row.lease_until = NOBODY
        else:
            row.change(status="queued", failures=row.job.failures + failed)

    async def cancel(self, job: UUID) -> Job | None:
        row = self._rows.get(job)
        if row is None or row.job.ended:
            return row.job if row else None
        return self._end(row, "cancelled")

    async def abandoned(self, upload: float, synchronous: float, kept: float | None = None) -> Sequence[UUID]:
        uploads = [job for job, begun in self._uploads.items() if begun < self._clock() - upload]
        stays = [(row.job, self._stay(row, synchronous, kept)) for row in self._rows.values()]
        return uploads + [
            job.id
            for job, seconds in stays
            if job.finished_at and seconds is not None and job.finished_at < self._now() - timedelta(seconds=seconds)
        ]

    def _stay(self, row: Row, synchronous: float, kept: float | None) -> float | None:
        """How long a job stays once it has ended; None: for ever."""
        return synchronous if row.synchronous else self.keys.tenants.get(row.job.tenant, kept)

    async def delete(self, job: UUID) -> bool:
        self._uploads.pop(job, None)
        self.hooks.deliveries.pop(job, None)
        return self._rows.pop(job, None) is not None

    async def queue(self) -> Queue:
        waiting = [row for row in self._rows.values() if row.job.status in ("queued", "running")]
        return measured(waiting, self._clock(), self._now())

    async def pace(self, worker: str, busy: float, audio: float) -> None:
        self._paces[worker] = (busy, audio, self._clock())

    async def team(self) -> Team:
        now = self._clock()
        return Team(factor(self._paces.values(), now), busy(self._rows.values(), now))

    async def close(self) -> None:
        return None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _claim(self, row: Row, worker: str, lease: float) -> Claim:
        row.lease_until, row.worker = self._clock() + lease, worker
        return Claim(row.job, row.job.attempt, worker, row.job.failures)

    def _held(self, claim: Claim) -> tuple[Row, Row | PartRow]:
        """The job, and what of it is claimed: itself, or one part. Raises StaleClaim."""
        row = self._rows.get(claim.job.id)
        if row is None or (held := row.held(claim)) is None:
            raise _stale(claim)
        return row, held

    def _held_job(self, claim: Claim) -> Row:
        assert claim.part is None, "only for a claim on the job itself"
        return self._held(claim)[0]

    def _end(self, row: Row, status: Status) -> Job:
        row.windows.clear()
        row.parts.clear()
        row.lease_until = None
        ended = row.change(status=status, finished_at=self._now())
        self.keys.charge(row)
        self.hooks.announce(ended, synchronous=row.synchronous)
        return ended


def _stale(claim: Claim) -> StaleClaim:
    return StaleClaim(f"{claim} is over")
