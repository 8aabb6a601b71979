"""Files: uploads that go on after either side was killed, and files for batches. Stored segments, in order."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

FILES = "uploads/"
Kind = Literal["parts", "tus", "whole"]
FileStatus = Literal["pending", "completed", "cancelled"]
USER_DATA: Final = "user_data"
"""The purpose of files that nothing was said of."""

NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""When a file expires that stays until it is deleted."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a file that is in the object store, whole."""

    id: UUID
    bytes: int


@dataclass(frozen=True)
class File:
    """A file of `bytes` bytes on its way. `version` counts its changes: who changes an older one is refused.

    Of the kind `tus` the segments follow each other; of `parts` they come in any order until they are put into one; one
    that is `whole` came in one request, or was written by the service.
    """

    id: UUID
    tenant: str
    kind: Kind
    bytes: int
    created_at: datetime
    expires_at: datetime
    filename: str = ""
    purpose: str = ""
    mime_type: str = ""
    metadata: str = ""
    status: FileStatus = "pending"
    segments: tuple[Segment, ...] = ()
    version: int = 0

    @property
    def received(self) -> int:
        """Bytes that are in the object store."""
        return sum(segment.bytes for segment in self.segments)


def files_folder(file: UUID) -> str:
    """Where the segments of a file lie, with the closing slash."""
    return f"{FILES}{file}/"


def segment_key(file: UUID, segment: UUID) -> str:
    """The object that holds a segment."""
    return f"{files_folder(file)}{segment}"
