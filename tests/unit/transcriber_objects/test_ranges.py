"""Properties of ranges of encrypted objects: a slice, or a refusal, whatever happened to the stored bytes."""

import asyncio
import random
from collections.abc import AsyncIterator

from hypothesis import example, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from whisper_transcriber.objects.encrypted import EncryptedObjects, Policy
from whisper_transcriber.objects.envelope import HEADER, TAG
from whisper_transcriber.objects.keyring import Keyring, new_key
from whisper_transcriber.objects.obstore import ObstoreObjects
from whisper_transcriber.objects.port import KeyMissing, Objects, Unreadable

BITS = 12
CHUNK = 1 << BITS
RING = Keyring("one", {"one": new_key()})
# Around the bounds of chunks is where the mistakes are.
PLACES = st.one_of(
    st.integers(0, 4 * CHUNK), st.builds(lambda n, d: max(0, n * CHUNK + d), st.integers(0, 5), st.integers(-2, 2))
)


def stores() -> tuple[Objects, EncryptedObjects]:
    memory = MemoryStore()
    inner = ObstoreObjects(lambda: memory, "memory")
    return inner, EncryptedObjects(inner, RING, Policy(bits=BITS))


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def read(objects: Objects, start: int, end: int | None) -> bytes:
    return b"".join([chunk async for chunk in objects.get("a", start, end)])


@settings(deadline=None)
@given(PLACES, PLACES, st.one_of(st.none(), PLACES))
@example(3, 2, 1)
def test_a_range_is_a_slice(size: int, start: int, end: int | None) -> None:
    async def check() -> None:
        data = random.Random(size).randbytes(size)
        _, objects = stores()
        assert await objects.put("a", once(data)) == size
        assert await read(objects, start, end) == data[start:end]

    asyncio.run(check())


@settings(deadline=None)
@given(PLACES, PLACES, st.one_of(st.none(), PLACES), st.data())
def test_a_range_of_changed_bytes_is_the_right_slice_or_refused(
    size: int, start: int, end: int | None, draw: st.DataObject
) -> None:
    async def check() -> None:
        data = random.Random(size).randbytes(size)
        inner, objects = stores()
        await objects.put("a", once(data))
        stored = bytearray(await read(inner, 0, None))
        at = draw.draw(st.integers(0, len(stored) - 1), "byte")
        if draw.draw(st.booleans(), "cut off there"):
            del stored[at:]
        else:
            stored[at] ^= draw.draw(st.integers(1, 255), "mask")
        await inner.put("a", once(bytes(stored)))
        refused = False
        try:
            assert await read(objects, start, end) == data[start:end]
        except (Unreadable, KeyMissing):
            refused = True
        touched = (at - HEADER) // (CHUNK + TAG)
        wanted = range(start // CHUNK, -(-min(end or size, size) // CHUNK))
        if data[start:end] and (at < HEADER or touched in wanted):
            assert refused, "what is returned was opened, so a change of it was seen"

    asyncio.run(check())
