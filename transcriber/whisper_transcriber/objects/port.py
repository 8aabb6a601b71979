"""What the service needs of its object store. Keys are relative paths such as `jobs/<id>/audio`."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Protocol


class Missing(Exception):
    """There is no object with this key."""


class Unavailable(Exception):
    """The object store does not answer now; the same call may work later. `word`: what everybody may be told of it."""

    def __init__(self, message: str = "", word: str = "unavailable") -> None:
        super().__init__(message)
        self.word = word


class KeyMissing(Unavailable):
    """This process does not have the key that an object is encrypted by; after a restart it may."""


class Unreadable(Exception):
    """The object is there, but it is not what was written, or this service may not read it. Trying again is no use."""


class Objects(Protocol):
    """Objects that are written once, whole or not at all, and read as streams. Every method may raise Unavailable."""

    async def prepare(self) -> None:
        """Make the bucket if there is none."""

    async def ready(self) -> None:
        """Return if objects can be kept now; raises Unavailable, saying why, if not."""

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Write the chunks as one object; returns its size in bytes.

        Memory stays flat whatever the size. An exception of `chunks` comes out as it is, and leaves no object.
        """

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The object's bytes, in chunks of about 1 MiB; of a range those from `start` up to `end`, not itself.

        What of a range is past the object's end is left out. Raises Missing at the first step, Unreadable at any.
        """

    def list(self, prefix: str) -> AsyncGenerator[str, None]:
        """The keys that start with `prefix`, which ends with a slash, in the store's order."""

    async def delete(self, key: str) -> None:
        """Delete one object; none is fine."""

    async def delete_folder(self, prefix: str) -> None:
        """Delete every object whose key starts with `prefix`, which ends with a slash. None is fine."""
