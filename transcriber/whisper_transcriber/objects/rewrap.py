"""Wraps the keys of objects anew after a new key was put first, so that an old one can be taken away.

The objects stay as they are: the new header goes beside an object, and deleting the folder deletes both.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from whisper_transcriber.objects.encrypted import REWRAPPED, EncryptedObjects
from whisper_transcriber.objects.envelope import Broken, Header, rewrapped, unpack
from whisper_transcriber.objects.magic import MAGIC
from whisper_transcriber.objects.port import Missing

AT_ONCE = 16
EVERY = 1000


@dataclass
class Tally:
    """How many objects were looked at, and what became of them; `unknown`: by the id of a key that is not there."""

    seen: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> bool:
        """Whether only the first key is needed from now on."""
        return not self.unknown and not self.fates["damaged"]

    def __str__(self) -> str:
        said = [f"{self.fates[fate]} {fate}" for fate in ("rewrapped", "current", "unencrypted", "damaged")]
        said += [f"{count} by the key {id_!r}, which is not there" for id_, count in self.unknown.items()]
        return f"{self.seen} objects: {', '.join(said)}"


async def rewrap(objects: EncryptedObjects, prefixes: Sequence[str], tell: Callable[[Tally], None]) -> Tally:
    """Go through the objects below the prefixes. What is cut short goes on when it is run again: what is done is seen.

    Raises: Unavailable.
    """
    tally = Tally()
    for prefix in prefixes:
        async with aclosing(_batches(objects.list(prefix))) as batches:
            async for keys in batches:
                for fate in await asyncio.gather(*(_one(objects, key) for key in keys)):
                    tally.seen += 1
                    if isinstance(fate, Unknown):
                        tally.unknown[fate.key_id] += 1
                    else:
                        tally.fates[fate] += 1
                    if tally.seen % EVERY == 0:
                        tell(tally)
    return tally


@dataclass(frozen=True)
class Unknown:
    """The object is wrapped by a key that the ring does not have."""

    key_id: str


async def _one(objects: EncryptedObjects, key: str) -> str | Unknown:
    try:
        first = await objects.head(key)
        if not first.startswith(MAGIC):
            return "unencrypted"
        header = unpack(first)
        latest = await _latest(objects, key, header)
        if latest.key_id == objects.ring.first:
            return "current"
        made = rewrapped(latest, objects.ring, key)
    except KeyError:
        return Unknown(latest.key_id)
    except Missing:
        return "gone"
    except Broken:
        return "damaged"
    await objects.inner.put(key + REWRAPPED, _once(made.pack()))
    return "rewrapped"


async def _latest(objects: EncryptedObjects, key: str, header: Header) -> Header:
    """The header that counts: the object's own while its key is known and first, else the one beside it."""
    if header.key_id == objects.ring.first:
        return header
    later = await objects.later(key, header)
    if later is None or (later.key_id not in objects.ring.keys and header.key_id in objects.ring.keys):
        return header
    return later


async def _batches(keys: AsyncGenerator[str, None]) -> AsyncGenerator[list[str], None]:
    batch: list[str] = []
    async with aclosing(keys):
        async for key in keys:
            if not key.endswith(REWRAPPED):
                batch.append(key)
            if len(batch) == AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
