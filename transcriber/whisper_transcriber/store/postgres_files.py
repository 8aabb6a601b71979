"""Uploads in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.files import File
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.files import Page
from whisper_transcriber.store.rows import Row

_FILE = TypeAdapter(File)


class PostgresFiles:
    """Uploads in the table files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: File) -> None:
        await self._database.rows("file_add", file.id, file.created_at, file.expires_at, _FILE.dump_json(file).decode())

    async def get(self, file: UUID) -> File | None:
        row = await self._database.row("file_get", file)
        return _file(row) if row else None

    async def save(self, file: File) -> File | None:
        arguments = (file.id, file.version, file.expires_at, _FILE.dump_json(file).decode())
        row = await self._database.row("file_save", *arguments)
        return replace(file, version=row["version"]) if row else None

    async def list(self, tenant: str, page: Page) -> Sequence[File]:
        name = "file_list_newest" if page.newest_first else "file_list_oldest"
        return [_file(row) for row in await self._database.rows(name, tenant, page.limit, page.after, page.purpose)]

    async def expired(self) -> Sequence[UUID]:
        return [row["id"] for row in await self._database.rows("file_expired")]

    async def delete(self, file: UUID) -> None:
        await self._database.rows("file_delete", file)


def _file(row: Row) -> File:
    return replace(_FILE.validate_json(row["body"]), version=row["version"])
