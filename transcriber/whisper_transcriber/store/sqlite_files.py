"""Uploads of one machine: MemoryFiles', each a document of the SQLite file."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.files import File
from whisper_transcriber.store.memory_files import MemoryFiles

_FILE = TypeAdapter(File)
PREFIX = "file:"


class SqliteFiles(MemoryFiles):
    """Uploads that `write` puts on the disk, by name, whenever they change; None deletes."""

    def __init__(self, clock: Callable[[], float], write: Callable[[str, str | None], Awaitable[None]]) -> None:
        super().__init__(clock)
        self._write = write

    async def _changed(self, file: UUID) -> None:
        found = self.files.get(file)
        await self._write(f"{PREFIX}{file}", None if found is None else _FILE.dump_json(found).decode())

    def read(self, text: str) -> None:
        """Take over what was written."""
        found = _FILE.validate_json(text)
        self.files[found.id] = found
