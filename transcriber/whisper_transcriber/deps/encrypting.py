"""Encrypts what was written before encryption was switched on, so that nothing unencrypted has to be read any more."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

from whisper_transcriber.domain.job import JOBS, folder
from whisper_transcriber.objects.encrypted import EncryptedObjects
from whisper_transcriber.objects.magic import MAGIC
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.store.port import Store

EVERY = 100


@dataclass
class Progress:
    """What became of the objects: `encrypted` now, or `before`; `later`: their job has not ended; `unknown`: no job."""

    fates: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> bool:
        """Whether everything is encrypted that can be."""
        return not self.fates["later"]

    def __str__(self) -> str:
        said = ", ".join(f"{self.fates[fate]} {fate}" for fate in ("encrypted", "before", "later", "unknown"))
        return f"{sum(self.fates.values())} objects: {said}"


async def encrypt(objects: EncryptedObjects, store: Store, tell: Callable[[Progress], None]) -> Progress:
    """Replace the objects of ended jobs by encrypted ones, one after another; nobody else writes those.

    What is cut short goes on when it is run again: an object is replaced whole or not at all. Uploads are left out,
    which are gone in a day. Raises: Unavailable, of either store.
    """
    progress, touched = Progress(), set[UUID]()
    try:
        async with aclosing(_jobs(objects)) as found:
            async for job, key in found:
                fate = await _one(objects, store, job, key)
                progress.fates[fate] += 1
                if fate == "encrypted":
                    touched.add(job)
                if sum(progress.fates.values()) % EVERY == 0:
                    tell(progress)
    finally:
        # Whoever deleted a job meanwhile may not have seen what was written last.
        for job in touched:
            if await store.get(job) is None:
                await objects.delete_folder(folder(job))
    return progress


async def _jobs(objects: EncryptedObjects) -> AsyncGenerator[tuple[UUID, str], None]:
    async with aclosing(objects.list(JOBS)) as keys:
        async for key in keys:
            try:
                yield UUID(key.removeprefix(JOBS).partition("/")[0]), key
            except ValueError:
                continue  # nothing of ours


async def _one(objects: EncryptedObjects, store: Store, id_: UUID, key: str) -> str:
    try:
        # What rewrapping left beside an object begins so, too.
        if (await objects.head(key)).startswith(MAGIC):
            return "before"
        job = await store.get(id_)
        if job is None:
            return "unknown"
        if not job.ended:
            return "later"
        async with aclosing(objects.inner.get(key)) as body:
            await objects.put(key, body)
    except Missing:
        return "unknown"
    return "encrypted"
