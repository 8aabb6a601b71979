"""What the service needs of its store of uploads. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from whisper_transcriber.domain.files import File


@dataclass(frozen=True)
class Page:
    """Which files: at most `limit`, those after `after` in the order of their making; a `purpose` of None is any."""

    limit: int
    after: UUID | None = None
    purpose: str | None = None
    newest_first: bool = True


class Files(Protocol):
    """Uploads, each changed as a whole by whoever knows its newest version."""

    async def add(self, file: File) -> None:
        """Record an upload."""

    async def get(self, file: UUID) -> File | None:
        """The upload as it stands."""

    async def save(self, file: File) -> File | None:
        """Change an upload of this version; returns it with the next one, None if somebody was faster."""

    async def list(self, tenant: str, page: Page) -> Sequence[File]:
        """The tenant's files that are completed and not expired."""

    async def expired(self) -> Sequence[UUID]:
        """Those whose time is over."""

    async def delete(self, file: UUID) -> None:
        """Forget an upload."""
