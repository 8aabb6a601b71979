"""Uploads in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from whisper_transcriber.domain.files import File


class MemoryFiles:
    """Uploads of one process; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.files: dict[UUID, File] = {}

    async def add(self, file: File) -> None:
        self.files[file.id] = file
        await self._changed(file.id)

    async def get(self, file: UUID) -> File | None:
        return self.files.get(file)

    async def save(self, file: File) -> File | None:
        known = self.files.get(file.id)
        if known is None or known.version != file.version:
            return None
        saved = self.files[file.id] = replace(file, version=file.version + 1)
        await self._changed(file.id)
        return saved

    async def expired(self) -> Sequence[UUID]:
        return [file.id for file in self.files.values() if file.expires_at.timestamp() < self._clock()]

    async def delete(self, file: UUID) -> None:
        self.files.pop(file, None)
        await self._changed(file)

    async def _changed(self, file: UUID) -> None:
        """For a store that writes it down."""
