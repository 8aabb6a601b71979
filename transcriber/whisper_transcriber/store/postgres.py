"""The store in PostgreSQL. Every statement is a file of `sql/`; every claim is fenced by its attempt."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from whisper_transcriber.domain.demand import Team
from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob, Queue
from whisper_transcriber.domain.outlook import Outlook
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.migrations import apply, migrations
from whisper_transcriber.store.port import (
    AGEING_SECONDS,
    EVERYTHING,
    PACE_HALF_SECONDS,
    PACE_SECONDS,
    UNKNOWN_SECONDS,
    Facts,
    Filters,
    IdempotencyMismatch,
    StaleClaim,
    Unavailable,
)
from whisper_transcriber.store.postgres_batches import PostgresBatches
from whisper_transcriber.store.postgres_files import PostgresFiles
from whisper_transcriber.store.postgres_hooks import PostgresHooks
from whisper_transcriber.store.postgres_keys import PostgresKeys
from whisper_transcriber.store.rows import claim_of, filter_row, job_of, new_row, outlook_of, part_of, queue_of


class PostgresStore:
    """The store in the database at `url`. Connections are made when needed, so the process starts without it."""

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._database = Database(url, connections)
        self.keys = PostgresKeys(self._database)
        self.files = PostgresFiles(self._database)
        self.hooks = PostgresHooks(self._database)
        self.batches = PostgresBatches(self._database)

    async def migrate(self) -> Sequence[str]:
        async with self._database.connection() as connection:
            return await apply(connection, migrations())

    async def ready(self) -> None:
        newest = migrations()[-1].version
        async with self._database.connection() as connection:
            version = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migrations")
        if version < newest:
            raise Unavailable(f"the schema is at version {version}, this release needs {newest}", "older schema")

    async def begin_upload(self, job: UUID) -> None:
        await self._database.rows("begin_upload", job)

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        while True:
            if row := await self._database.row("create", *new_row(new)):
                return job_of(row), True
            # None only if that job was deleted between the two statements: then there is room for ours.
            if row := await self._database.row("by_key", new.tenant, new.idempotency_key):
                if row["fingerprint"] != new.request.fingerprint:
                    raise IdempotencyMismatch(new.idempotency_key)
                return job_of(row), False

    async def join(self, new: NewJob) -> tuple[Job, bool]:
        while True:
            if row := await self._database.row("join", new.tenant, new.idempotency_key):
                return job_of(row), False
            job, created = await self.create(new)
            if created:  # else another one was faster
                return job, True

    async def leave(self, job: UUID) -> int:
        row = await self._database.row("leave", job)
        return row["waiters"] if row else 0

    async def unname(self, job: UUID) -> bool:
        return await self._database.row("unname", job) is not None

    async def get(self, job: UUID) -> Job | None:
        row = await self._database.row("get", job)
        return job_of(row) if row else None

    async def find(self, jobs: Collection[UUID]) -> Mapping[UUID, Job]:
        return {row["id"]: job_of(row) for row in await self._database.rows("find", [*jobs])}

    async def list(self, limit: int, after: UUID | None = None, filters: Filters = EVERYTHING) -> Sequence[Job]:
        return [job_of(row) for row in await self._database.rows("list", limit, after, *filter_row(filters))]

    async def outlook(self, job: UUID) -> Outlook | None:
        row = await self._database.row("outlook", job)
        return outlook_of(row) if row else None

    async def reusable(self, tenant: str, fingerprint: str) -> Job | None:
        row = await self._database.row("reusable", tenant, fingerprint)
        return job_of(row) if row else None

    async def change(
        self, job: UUID, *, priority: int | None = None, metadata: Mapping[str, str] | None = None
    ) -> Job | None:
        row = await self._database.row(
            "change", job, priority, None if metadata is None else json.dumps(dict(metadata))
        )
        return job_of(row) if row else None

    async def retry(self, job: UUID) -> Job | None:
        await self._database.rows("retry", job, AGEING_SECONDS)
        return await self.get(job)

    async def claim(
        self, worker: str, lease: float, *, parts: bool = True, longest: float | None = None
    ) -> Claim | None:
        arguments = (worker, timedelta(seconds=lease), AGEING_SECONDS, UNKNOWN_SECONDS, parts, longest)
        row = await self._database.row("claim", *arguments)
        return claim_of(row, worker) if row else None

    async def renew(self, claim: Claim, lease: float) -> None:
        await self._held("renew", claim, timedelta(seconds=lease))

    async def add_part(self, claim: Claim, part: Part, lease: float) -> None:
        await self._fenced("add_part", claim, part.number, part.start, part.end, timedelta(seconds=lease))

    async def parts(self, job: UUID) -> Sequence[Part]:
        return [replace(part_of(row), done=row["done"]) for row in await self._database.rows("parts", job)]

    async def opened(self, claim: Claim, audio_seconds: float, lease: float) -> Claim | None:
        job = await self._fenced("opened", claim, audio_seconds, timedelta(seconds=lease))
        return Claim(job, job.attempt, claim.worker) if job.complete else None

    async def finish_part(self, claim: Claim, lease: float) -> Claim | None:
        job = await self._held("finish", claim, claim.worker, timedelta(seconds=lease))
        return Claim(job, job.attempt, claim.worker) if job.complete else None

    async def learn(self, claim: Claim, facts: Facts) -> None:
        await self._fenced("learn", claim, facts.model_digest, facts.engine, facts.audio_seconds, facts.windows_total)

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        indices = [result.window.index for result in results]
        bodies = [result.to_json() for result in results]
        processed = max((result.window.end for result in results), default=0.0)
        await self._held("checkpoint", claim, timedelta(seconds=lease), indices, bodies, processed)

    async def windows(self, job: UUID, part: int | None = None) -> Sequence[WindowResult]:
        return [WindowResult.from_json(row["result"]) for row in await self._database.rows("windows", job, part)]

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        return await self._fenced("finish", claim, "succeeded", language, audio_seconds, None, None)

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        if claim.part is not None:
            return await self._held("fail", claim, failure.code, failure.message)
        return await self._fenced("finish", claim, "failed", None, None, failure.code, failure.message)

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        if claim.part is not None:
            await self._held("hand_back", claim, failed)
        else:
            await self._fenced("hand_back", claim, failed, AGEING_SECONDS)

    async def cancel(self, job: UUID) -> Job | None:
        await self._database.rows("cancel", job)
        return await self.get(job)

    async def abandoned(self, upload: float, synchronous: float, kept: float | None = None) -> Sequence[UUID]:
        longest = None if kept is None else timedelta(seconds=kept)
        arguments = (timedelta(seconds=upload), timedelta(seconds=synchronous), longest)
        rows = await self._database.rows("abandoned", *arguments)
        return [row["id"] for row in rows]

    async def delete(self, job: UUID) -> bool:
        return await self._database.row("delete", job) is not None

    async def queue(self) -> Queue:
        row = await self._database.row("queue")
        assert row is not None
        return queue_of(row)

    async def pace(self, worker: str, busy: float, audio: float) -> None:
        await self._database.rows("pace", worker, busy, audio, timedelta(seconds=PACE_SECONDS))

    async def team(self) -> Team:
        row = await self._database.row("factor", PACE_HALF_SECONDS, timedelta(seconds=PACE_SECONDS))
        busy = await self._database.rows("busy")
        return Team(row["factor"] if row else None, {each["worker"]: each["claims"] for each in busy})

    async def close(self) -> None:
        await self._database.close()

    async def _fenced(self, name: str, claim: Claim, *arguments: Any) -> Job:
        row = await self._database.row(name, claim.job.id, claim.attempt, *arguments)
        if row is None:
            raise StaleClaim(f"{claim} is over")
        return job_of(row)

    async def _held(self, name: str, claim: Claim, *arguments: Any) -> Job:
        """The same, for what has one form for jobs and another for parts."""
        if claim.part is None:
            return await self._fenced(name, claim, *arguments)
        return await self._fenced(f"{name}_part", claim, claim.part.number, *arguments)
