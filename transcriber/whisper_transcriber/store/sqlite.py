"""The store of one process on one machine: MemoryStore's decisions, each written to an SQLite file before it counts."""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.memory_rows import NOBODY, Row
from whisper_transcriber.store.port import Facts, Unavailable
from whisper_transcriber.store.sqlite_batches import PREFIX as BATCHES
from whisper_transcriber.store.sqlite_batches import SqliteBatches
from whisper_transcriber.store.sqlite_files import PREFIX, SqliteFiles
from whisper_transcriber.store.sqlite_hooks import ENDPOINTS, SqliteHooks
from whisper_transcriber.store.sqlite_hooks import PREFIX as HOOKS
from whisper_transcriber.store.sqlite_keys import SqliteKeys

T = TypeVar("T")
_Statement: TypeAlias = tuple[str, tuple[object, ...]]

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE jobs (id TEXT PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE windows (job TEXT NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL, result TEXT NOT NULL,
  PRIMARY KEY (job, part, number)) WITHOUT ROWID;
CREATE TABLE uploads (job TEXT PRIMARY KEY, begun REAL NOT NULL);
CREATE TABLE documents (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_ROW: Final = TypeAdapter(Row)


class SqliteStore(MemoryStore):
    """Jobs in `file`, which belongs to this process until `close`; `migrate` reads what an earlier one left there.

    A method returns once its change is on the disk. Where that fails it raises Unavailable, as if an answer were lost:
    the change may have happened, and is written as soon as the disk takes it.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.keys: SqliteKeys = SqliteKeys(self._clock, self._rows, self._keys_written)
        self.files: SqliteFiles = SqliteFiles(self._clock, self._document_written)
        self.hooks: SqliteHooks = SqliteHooks(self._clock, self._written, self._document_written)
        self.batches: SqliteBatches = SqliteBatches(self._clock, lambda: self.keys.tenants, self._document_written)
        self._file = file
        self._database: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._writing = asyncio.Lock()
        self._dirty: set[UUID] = set()
        self._fresh: defaultdict[UUID, set[tuple[int, int]]] = defaultdict(set)  # windows that the file has not

    async def migrate(self) -> Sequence[str]:
        """Open the file, made if it is not there. Raises Unavailable if it is another process's, or newer than this."""
        applied: list[str] = await self._in_thread(self._open)
        return applied

    async def ready(self) -> None:
        if self._database is None:
            raise Unavailable(f"{self._file} has not been opened.")
        await self._written()

    async def begin_upload(self, job: UUID) -> None:
        await self._kept(job, super().begin_upload(job))

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        return await self._kept(new.id, super().create(new))

    async def join(self, new: NewJob) -> tuple[Job, bool]:
        named = [
            id_ for id_, row in self._rows.items() if (row.key, row.job.tenant) == (new.idempotency_key, new.tenant)
        ]
        joined = await super().join(new)
        await self._written(*named)
        return joined

    async def leave(self, job: UUID) -> int:
        return await self._kept(job, super().leave(job))

    async def unname(self, job: UUID) -> bool:
        return await self._kept(job, super().unname(job))

    async def change(
        self, job: UUID, *, priority: int | None = None, metadata: Mapping[str, str] | None = None
    ) -> Job | None:
        return await self._kept(job, super().change(job, priority=priority, metadata=metadata))

    async def retry(self, job: UUID) -> Job | None:
        return await self._kept(job, super().retry(job))

    async def claim(
        self, worker: str, lease: float, *, parts: bool = True, longest: float | None = None
    ) -> Claim | None:
        claim = await super().claim(worker, lease, parts=parts, longest=longest)
        if claim is not None:
            await self._written(claim.job.id)
        return claim

    async def add_part(self, claim: Claim, part: Part, lease: float) -> None:
        await self._kept(claim.job.id, super().add_part(claim, part, lease))

    async def opened(self, claim: Claim, audio_seconds: float, lease: float) -> Claim | None:
        return await self._kept(claim.job.id, super().opened(claim, audio_seconds, lease))

    async def finish_part(self, claim: Claim, lease: float) -> Claim | None:
        return await self._kept(claim.job.id, super().finish_part(claim, lease))

    async def learn(self, claim: Claim, facts: Facts) -> None:
        await self._kept(claim.job.id, super().learn(claim, facts))

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        await super().checkpoint(claim, results, lease)
        part = claim.part.number if claim.part else 0
        self._fresh[claim.job.id] |= {(part, result.window.index) for result in results}
        await self._written(claim.job.id)

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        return await self._kept(claim.job.id, super().succeed(claim, language, audio_seconds))

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        return await self._kept(claim.job.id, super().fail(claim, failure))

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        await self._kept(claim.job.id, super().hand_back(claim, failed=failed))

    async def cancel(self, job: UUID) -> Job | None:
        return await self._kept(job, super().cancel(job))

    async def delete(self, job: UUID) -> bool:
        return await self._kept(job, super().delete(job))

    async def close(self) -> None:
        if self._database is not None:
            await self._written()
            await self._in_thread(self._database.close)
            self._database = None
        self._thread.shutdown()

    async def _kept(self, job: UUID, change: Awaitable[T]) -> T:
        """What the change gives, once the job is on the disk as it is then."""
        changed = await change
        await self._written(job)
        return changed

    async def _written(self, *jobs: UUID) -> None:
        """Return when these jobs, and whatever else is not on the disk, are there. Changes of many share a commit."""
        self._dirty.update(jobs)
        async with self._writing:
            dirty, self._dirty = self._dirty, set()
            fresh = {job: self._fresh.pop(job, set()) for job in dirty}
            try:
                if dirty:
                    await self._in_thread(
                        self._commit, [each for job in dirty for each in self._changes(job, fresh[job])]
                    )
            except BaseException:
                self._dirty |= dirty
                for job, windows in fresh.items():
                    self._fresh[job] |= windows
                raise

    def _changes(self, job: UUID, fresh: Iterable[tuple[int, int]]) -> list[_Statement]:
        """What brings the file's copy of a job up to date."""
        name, row, begun = str(job), self._rows.get(job), self._uploads.get(job)
        changes: list[_Statement] = [("DELETE FROM uploads WHERE job = ?", (name,))]
        if begun is not None:
            changes = [("INSERT OR REPLACE INTO uploads VALUES (?, ?)", (name, begun))]
        if row is None or row.job.ended:
            changes.append(("DELETE FROM windows WHERE job = ?", (name,)))
        if row is None or job in self.hooks.deliveries:
            changes.append(_document(f"{HOOKS}{name}", self.hooks.to_json(job)))
        if row is None:
            return [*changes, ("DELETE FROM jobs WHERE id = ?", (name,))]
        changes.append(("INSERT OR REPLACE INTO jobs VALUES (?, ?)", (name, _written_row(row))))
        if row.job.ended and row.api_key is not None:
            changes.append(self._keys_now())
        windows = [(key, row.windows[key]) for key in fresh if key in row.windows]
        insert = "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?)"
        return changes + [(insert, (name, *key, result)) for key, result in windows]

    async def _keys_written(self) -> None:
        async with self._writing:
            await self._in_thread(self._commit, [self._keys_now()])

    async def _document_written(self, name: str, value: str | None) -> None:
        async with self._writing:
            await self._in_thread(self._commit, [_document(name, value)])

    def _keys_now(self) -> _Statement:
        return "INSERT OR REPLACE INTO documents VALUES ('keys', ?)", (self.keys.to_json(),)

    async def _in_thread(self, work: Any, *arguments: object) -> Any:
        """Run in the one thread that uses the file, in turn. Raises Unavailable."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{self._file} does not take jobs: {error}") from error

    def _commit(self, statements: Iterable[_Statement]) -> None:
        assert self._database is not None, "opened by `migrate`"
        with self._database:
            for statement, values in statements:
                self._database.execute(statement, values)

    def _open(self) -> list[str]:
        if self._database is not None:
            return []
        self._file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._file, check_same_thread=False, timeout=0)
        try:
            # Exclusive: a second process over the same file would decide without knowing what this one did.
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                database.execute(f"PRAGMA {pragma}")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise Unavailable(f"{self._file} was written by a newer version of this program.")
            if version == 0:
                database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            self._read(database)
        except sqlite3.OperationalError as error:
            database.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise Unavailable(f"{self._file} is in use by another process: stop that one first.") from error
            raise
        except BaseException:
            database.close()
            raise
        self._database = database
        return [] if version else [f"sqlite {VERSION}"]

    def _read(self, database: sqlite3.Connection) -> None:
        for name, text in database.execute("SELECT id, row FROM jobs"):
            self._rows[UUID(name)] = _read_row(text)
        for name, part, number, result in database.execute("SELECT job, part, number, result FROM windows"):
            self._rows[UUID(name)].windows[part, number] = result
        self._uploads = {UUID(name): begun for name, begun in database.execute("SELECT job, begun FROM uploads")}
        for (text,) in database.execute("SELECT value FROM documents WHERE name = 'keys'"):
            self.keys.read(text)
        for (text,) in database.execute("SELECT value FROM documents WHERE name GLOB ?", (f"{PREFIX}*",)):
            self.files.read(text)
        for (text,) in database.execute("SELECT value FROM documents WHERE name GLOB ?", (f"{HOOKS}*",)):
            self.hooks.read(text)
        for (text,) in database.execute("SELECT value FROM documents WHERE name GLOB ?", (f"{BATCHES}*",)):
            self.batches.read(text)
        for (text,) in database.execute("SELECT value FROM documents WHERE name = ?", (ENDPOINTS,)):
            self.hooks.read_endpoints(text)
        self._created = max((row.order for row in self._rows.values()), default=0)


def _document(name: str, value: str | None) -> _Statement:
    if value is None:
        return "DELETE FROM documents WHERE name = ?", (name,)
    return "INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, value)


def _written_row(row: Row) -> str:
    values = _ROW.dump_python(row, exclude={"windows"})
    return json.dumps(values, default=str, ensure_ascii=False, separators=(",", ":"))


def _read_row(text: str) -> Row:
    """The row, what was claimed free again: whoever held it was a part of the process that has ended."""
    row = _ROW.validate_json(text)
    if row.lease_until not in (None, NOBODY):
        row.lease_until = 0.0
    for part in row.parts.values():
        part.lease_until = 0.0
    return row
