"""Objects that only this service can read, in a store that keeps whatever it is given."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass

from whisper_transcriber.objects.envelope import (
    CHUNK_BITS,
    HEADER,
    TAG,
    Broken,
    Header,
    Opener,
    Sealer,
    new_header,
    unpack,
    unwrap,
)
from whisper_transcriber.objects.keyring import Keyring
from whisper_transcriber.objects.magic import MAGIC, Wrapping
from whisper_transcriber.objects.port import KeyMissing, Missing, Objects, Unreadable

REWRAPPED = ".rewrapped"


@dataclass(frozen=True)
class Policy:
    """`unencrypted`: whether what was written before encryption was switched on is read. `bits`: log2 of a chunk."""

    unencrypted: bool = False
    bits: int = CHUNK_BITS


class EncryptedObjects(Wrapping):
    """Every object in an envelope (see `envelope`); memory holds a few chunks, whatever an object's size."""

    def __init__(self, inner: Objects, ring: Keyring, policy: Policy | None = None) -> None:
        super().__init__(inner)
        self.ring = ring
        self._policy = policy or Policy()

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        header, data_key = new_header(self.ring, key, self._policy.bits)
        sealer, size = Sealer(header, data_key, key), 0

        async def sealed() -> AsyncGenerator[bytes, None]:
            nonlocal size
            yield header.pack()
            async for chunk in chunks:
                size += len(chunk)
                if ready := sealer.feed(chunk):
                    yield ready
            yield sealer.end()

        async with aclosing(sealed()) as body:
            await self.inner.put(key, body)
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        try:
            found = self._part(key, start, end) if (start, end) != (0, None) else self._whole(key)
            async with aclosing(found) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Broken as error:
            raise Unreadable(f"{key} is not what was written: {error}") from error

    async def _whole(self, key: str) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.inner.get(key)) as chunks:
            first = await anext(chunks, b"")
            if not self._sealed(key, first):
                if first:
                    yield first
                async for chunk in chunks:
                    yield chunk
                return
            opener = await self._opener(key, first)
            if plain := opener.feed(first[HEADER:]):
                yield plain
            async for chunk in chunks:
                if plain := opener.feed(chunk):
                    yield plain
            if plain := opener.end():
                yield plain

    async def _part(self, key: str, start: int, end: int | None) -> AsyncGenerator[bytes, None]:
        """A range, by way of the chunks that it lies in."""
        first = await self.head(key)
        if not self._sealed(key, first):
            async with aclosing(self.inner.get(key, start, end)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        if end is not None and end <= start:
            return
        size = unpack(first).chunk
        number = start // size
        opener = await self._opener(key, first, number)
        skip, left = start - number * size, None if end is None else end - start
        stop = None if end is None else -(-end // size)
        async with aclosing(self._opened(key, opener, size + TAG, number, stop)) as pieces:
            async for plain in pieces:
                piece = plain[skip:][:left]
                skip = max(0, skip - len(plain))
                left = None if left is None else left - len(piece)
                if piece:
                    yield piece

    async def _opened(
        self, key: str, opener: Opener, stride: int, number: int, stop: int | None
    ) -> AsyncGenerator[bytes, None]:
        """The plain bytes of the chunks from `number` up to `stop`; `stride`: how long each is as stored."""
        got = 0
        # One byte more than the last chunk tells whether it is the object's last.
        upto = None if stop is None else HEADER + stop * stride + 1
        async with aclosing(self.inner.get(key, HEADER + number * stride, upto)) as chunks:
            async for chunk in chunks:
                got += len(chunk)
                yield opener.feed(chunk)
        if stop is not None and got > (stop - number) * stride:
            return  # more comes after it
        if got or not number:
            yield opener.end()
            return
        # Past the end, if this is the end: only the last chunk can say so.
        async with aclosing(self._whole(key)) as whole:
            async for _ in whole:
                pass

    async def head(self, key: str) -> bytes:
        """The first bytes of what is stored, a header's length or all there is. Raises Missing."""
        return b"".join([chunk async for chunk in self.inner.get(key, 0, HEADER)])

    def _sealed(self, key: str, first: bytes) -> bool:
        """Whether an object that begins so is encrypted. Raises Unreadable where only such may be read."""
        if first.startswith(MAGIC):
            return True
        if self._policy.unencrypted:
            return False
        raise Unreadable(
            f"{key} is not encrypted: if it was written before encryption was switched on, "
            "set WHISPER_OBJECTS_READ_UNENCRYPTED=true"
        )

    async def _opener(self, key: str, first: bytes, number: int = 0) -> Opener:
        header = unpack(first)
        try:
            data_key = unwrap(header, self.ring, key)
        except KeyError:
            data_key = await self._rewrapped(key, header)
        return Opener(header, data_key, key, number)

    async def _rewrapped(self, key: str, header: Header) -> bytes:
        """The key of an object whose header names an unknown key, from what `rewrap` left beside it."""
        if (later := await self.later(key, header)) is not None:
            try:
                return unwrap(later, self.ring, key)
            except KeyError:
                header = later
        raise KeyMissing(
            f"{key} is encrypted by the key {header.key_id!r}, and this process has only {self.ring.ids}: "
            f"add it to WHISPER_OBJECTS_KEYS"
        )

    async def later(self, key: str, header: Header) -> Header | None:
        """The header that `rewrap` left beside an object; None if there is none, or if it is of an object before."""
        try:
            found = unpack(await self.head(key + REWRAPPED))
        except (Missing, Broken):
            return None
        return found if found.fixed() == header.fixed() else None
