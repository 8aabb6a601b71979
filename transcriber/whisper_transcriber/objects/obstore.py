"""What the S3 and the folder form share: streaming through obstore's object stores."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    BaseError,
    GenericError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore

from whisper_transcriber.objects.port import Missing, Unavailable

if TYPE_CHECKING:  # types without a run-time form
    from obstore import GetResult, OffsetRange

# Parts of 8 MiB, two on their way at once: 24 MiB at most for an upload of any size (S3 takes 10,000 parts).
_PART = 8 * 1024**2
_IN_FLIGHT = 2
_CHUNK = 1024**2


class ObstoreObjects:
    """Objects in any store that obstore knows."""

    def __init__(self, opened: Callable[[], ObjectStore], name: str) -> None:
        self._opened = opened
        self._name = name

    @property
    def _store(self) -> ObjectStore:
        """obstore's store, as it is now: another one once it must trust others."""
        return self._opened()

    async def prepare(self) -> None:
        return None

    async def ready(self) -> None:
        with self._errors("the bucket"):
            async for _page in obstore.list(self._store, prefix="ready/", chunk_size=1):
                break

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        size = 0
        writer = obstore.open_writer_async(self._store, key, buffer_size=_PART, max_concurrency=_IN_FLIGHT)
        with ExitStack() as closing:
            # Left by an exception, the writer gives up the upload: no object, no parts.
            async with writer:
                async for chunk in chunks:
                    size += len(chunk)
                    with self._errors(key, OSError):
                        await writer.write(chunk)
                # What is raised from here on is the writer's, which closes; before, it may be the source's own.
                closing.enter_context(self._errors(key, OSError))
        return size

    async def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        """Write a small object at once, for whoever reads it without us. Raises Unavailable, or Missing: no bucket."""
        with self._errors(key):
            await obstore.put_async(self._store, key, body, attributes={"Content-Type": content_type})

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        with self._errors(key):
            if (start, end) == (0, None):
                found: GetResult | None = await obstore.get_async(self._store, key)
            else:
                found = await self._range(key, start, end)
            if found is None:
                return
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def list(self, prefix: str) -> AsyncGenerator[str, None]:
        with self._errors(prefix):
            async for page in obstore.list(self._store, prefix=prefix):
                for entry in page:
                    yield entry["path"]

    async def delete(self, key: str) -> None:
        with suppress(Missing), self._errors(key):
            await obstore.delete_async(self._store, key)

    async def delete_folder(self, prefix: str) -> None:
        with self._errors(prefix):
            async for page in obstore.list(self._store, prefix=prefix):
                await obstore.delete_async(self._store, [entry["path"] for entry in page])

    async def _range(self, key: str, start: int, end: int | None) -> "GetResult | None":
        """The answer to a range; None where there is nothing in it: stores refuse such a range, each in its own way."""
        if end is not None and end <= start:
            await obstore.head_async(self._store, key)
            return None
        wanted: OffsetRange | tuple[int, int] = {"offset": start} if end is None else (start, end)
        try:
            return await obstore.get_async(self._store, key, options={"range": wanted})
        except GenericError:
            if start < (await obstore.head_async(self._store, key))["size"]:
                raise
            return None

    @contextmanager
    def _errors(self, what: str, also: type[Exception] = BaseError) -> Iterator[None]:
        """Raise obstore's errors as the port's; `also` OSError where it can only come from obstore's writer."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise Missing(what) from error
        except (BaseError, also) as error:
            # The first line only: the rest is obstore's debug output.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            refused = isinstance(error, (PermissionDeniedError, UnauthenticatedError))
            word = "access refused" if refused else "unavailable"
            raise Unavailable(f"{self._name} does not take {what}: {reason}", word) from error
