"""Uploads in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.files import File
from whisper_transcriber.store.database import Database

_FILE = TypeAdapter(File)


class PostgresFiles:
    """Uploads in the table files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: File) -> None:
        await self._database.rows("file_add", file.id, file.expires_at, _FILE.dump_json(file).decode())

    async def get(self, file: UUID) -> File | None:
        row = await self._database.row("file_get", file)
        return replace(_FILE.validate_json(row["body"]), version=row["version"]) if row else None

    async def save(self, file: File) -> File | None:
        arguments = (file.id, file.version, file.expires_at, _FILE.dump_json(file).decode())
        row = await self._database.row("file_save", *arguments)
        return replace(file, version=row["version"]) if row else None

    async def expired(self) -> Sequence[UUID]:
        return [row["id"] for row in await self._database.rows("file_expired")]

    async def delete(self, file: UUID) -> None:
        await self._database.rows("file_delete", file)
