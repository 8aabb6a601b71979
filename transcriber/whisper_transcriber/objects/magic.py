"""How encrypted objects begin, and the port's form for where nothing is encrypted, which knows one when it sees one."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Final

from whisper_transcriber.objects.port import KeyMissing, Objects, Unreadable

MAGIC: Final = b"whisper-sealed\r\n"
assert len(MAGIC) == 16


class Wrapping:
    """What every wrapper over a store leaves to it."""

    def __init__(self, inner: Objects) -> None:
        self.inner = inner

    async def prepare(self) -> None:
        await self.inner.prepare()

    async def ready(self) -> None:
        await self.inner.ready()

    def list(self, prefix: str) -> AsyncGenerator[str, None]:
        return self.inner.list(prefix)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def delete_folder(self, prefix: str) -> None:
        await self.inner.delete_folder(prefix)


class PlainObjects(Wrapping):
    """Objects as they are. An encrypted one is refused, lest its bytes be taken for damaged audio."""

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        async with aclosing(_honest(key, chunks)) as body:
            return await self.inner.put(key, body)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.inner.get(key, start, end)) as chunks:
            at = start
            async for chunk in chunks:
                if at == 0 and chunk.startswith(MAGIC):
                    raise KeyMissing(f"{key} is encrypted, and this process has no key: set WHISPER_OBJECTS_KEYS")
                at += len(chunk)
                yield chunk


async def _honest(key: str, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks, unless they look encrypted: nobody could read such an object, and workers would wait for its key."""
    head: bytes | None = b""
    async for chunk in chunks:
        if head is not None:
            head += chunk
            if head.startswith(MAGIC):
                raise Unreadable(f"{key} begins like an encrypted object: it is not taken")
            if len(head) < len(MAGIC):
                continue
            chunk, head = head, None
        yield chunk
    if head:
        yield head
