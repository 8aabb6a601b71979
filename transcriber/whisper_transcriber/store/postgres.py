"""The store in PostgreSQL. Every statement is a file of `sql/`; every claim is fenced by its attempt."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg

from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob, Queue, Status
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.migrations import apply, migrations
from whisper_transcriber.store.port import Facts, IdempotencyMismatch, StaleClaim, Unavailable
from whisper_transcriber.store.rows import job_of, new_row

# What PostgreSQL or the way to it says while it is away, starting, stopping, full, or without our schema.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
)


@cache
def _sql(name: str) -> str:
    return files("whisper_transcriber.store").joinpath("sql", f"{name}.sql").read_text()


class PostgresStore:
    """The store in the database at `url`. Connections are made when needed, so the process starts without it."""

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._url = url
        self._connections = connections
        self._made: asyncpg.Pool[asyncpg.Record] | None = None

    async def migrate(self) -> Sequence[str]:
        async with self._connection() as connection:
            return await apply(connection, migrations())

    async def ready(self) -> None:
        newest = migrations()[-1].version
        async with self._connection() as connection:
            version = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migrations")
        if version < newest:
            raise Unavailable(f"the schema is at version {version}, this release needs {newest}")

    async def begin_upload(self, job: UUID) -> None:
        await self._rows("begin_upload", job)

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        while True:
            if row := await self._row("create", *new_row(new)):
                return job_of(row), True
            # None only if that job was deleted between the two statements: then there is room for ours.
            if row := await self._row("by_key", new.tenant, new.idempotency_key):
                if row["fingerprint"] != new.request.fingerprint:
                    raise IdempotencyMismatch(new.idempotency_key)
                return job_of(row), False

    async def get(self, job: UUID) -> Job | None:
        row = await self._row("get", job)
        return job_of(row) if row else None

    async def list(self, limit: int, after: UUID | None = None, status: Status | None = None) -> Sequence[Job]:
        return [job_of(row) for row in await self._rows("list", limit, after, status)]

    async def claim(self, worker: str, lease: float) -> Claim | None:
        row = await self._row("claim", worker, timedelta(seconds=lease))
        return Claim(job_of(row), row["attempt"], worker) if row else None

    async def renew(self, claim: Claim, lease: float) -> None:
        await self._fenced("renew", claim, timedelta(seconds=lease))

    async def learn(self, claim: Claim, facts: Facts) -> None:
        await self._fenced("learn", claim, facts.model_digest, facts.engine, facts.audio_seconds, facts.windows_total)

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        indices = [result.window.index for result in results]
        bodies = [result.to_json() for result in results]
        processed = max((result.window.end for result in results), default=0.0)
        await self._fenced("checkpoint", claim, timedelta(seconds=lease), indices, bodies, processed)

    async def windows(self, job: UUID) -> Sequence[WindowResult]:
        return [WindowResult.from_json(row["result"]) for row in await self._rows("windows", job)]

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        return await self._fenced("finish", claim, "succeeded", language, audio_seconds, None, None)

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        return await self._fenced("finish", claim, "failed", None, None, failure.code, failure.message)

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        await self._fenced("hand_back", claim, failed)

    async def cancel(self, job: UUID) -> Job | None:
        await self._rows("cancel", job)
        return await self.get(job)

    async def abandoned(self, upload: float, synchronous: float) -> Sequence[UUID]:
        rows = await self._rows("abandoned", timedelta(seconds=upload), timedelta(seconds=synchronous))
        return [row["id"] for row in rows]

    async def delete(self, job: UUID) -> bool:
        return await self._row("delete", job) is not None

    async def queue(self) -> Queue:
        row = await self._row("queue")
        assert row is not None
        return Queue(row["queued"], row["running"], float(row["oldest"]))

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()

    async def _fenced(self, name: str, claim: Claim, *arguments: Any) -> Job:
        row = await self._row(name, claim.job.id, claim.attempt, *arguments)
        if row is None:
            raise StaleClaim(f"attempt {claim.attempt} of job {claim.job.id} is over")
        return job_of(row)

    async def _row(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        rows = await self._rows(name, *arguments)
        return rows[0] if rows else None

    async def _rows(self, name: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        async with self._connection() as connection:
            rows: Sequence[asyncpg.Record] = await connection.fetch(_sql(name), *arguments)
            return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            if self._made is None:
                self._made = asyncpg.create_pool(
                    self._url, min_size=0, max_size=self._connections, timeout=5, command_timeout=15
                )
                await self._made
            async with self._made.acquire(timeout=10) as connection:
                yield connection
        except _AWAY as error:
            raise Unavailable(f"PostgreSQL does not answer: {type(error).__name__}: {error}") from error
