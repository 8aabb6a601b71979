"""Uploads in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from whisper_transcriber.domain.files import File
from whisper_transcriber.store.files import Page


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

    async def list(self, tenant: str, page: Page) -> Sequence[File]:
        own = [file for file in self.files.values() if file.tenant == tenant]
        own.sort(key=_place, reverse=page.newest_first)
        after = self.files.get(page.after) if page.after else None
        if page.after and (after is None or after.tenant != tenant):
            return []
        found = [file for file in own if self._listed(file, page) and (after is None or _follows(file, after, page))]
        return found[: page.limit]

    def _listed(self, file: File, page: Page) -> bool:
        there = file.status == "completed" and file.expires_at.timestamp() >= self._clock()
        return there and page.purpose in (None, file.purpose)

    async def expired(self) -> Sequence[UUID]:
        return [file.id for file in self.files.values() if file.expires_at.timestamp() < self._clock()]

    async def delete(self, file: UUID) -> None:
        self.files.pop(file, None)
        await self._changed(file)

    async def _changed(self, file: UUID) -> None:
        """For a store that writes it down."""


def _place(file: File) -> tuple[datetime, UUID]:
    return file.created_at, file.id


def _follows(file: File, after: File, page: Page) -> bool:
    return _place(file) < _place(after) if page.newest_first else _place(file) > _place(after)
