"""What the service needs of its store of uploads. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from whisper_transcriber.domain.files import File


class Files(Protocol):
    """Uploads, each changed as a whole by whoever knows its newest version."""

    async def add(self, file: File) -> None:
        """Record an upload."""

    async def get(self, file: UUID) -> File | None:
        """The upload as it stands."""

    async def save(self, file: File) -> File | None:
        """Change an upload of this version; returns it with the next one, None if somebody was faster."""

    async def expired(self) -> Sequence[UUID]:
        """Those whose time is over."""

    async def delete(self, file: UUID) -> None:
        """Forget an upload."""
