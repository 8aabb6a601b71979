"""Encrypting what was there before, while others delete it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.encrypting import Progress, encrypt
from whisper_transcriber.deps.jobs import forget
from whisper_transcriber.domain.job import JobRequest, NewJob, audio_key
from whisper_transcriber.objects.encrypted import EncryptedObjects, Policy
from whisper_transcriber.objects.envelope import HEADER
from whisper_transcriber.objects.keyring import Keyring, new_key


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def nothing(_progress: Progress) -> None:
    return None


async def cancelled(deps: Deps) -> UUID:
    """A job that has ended, with its audio."""
    job, _ = await deps.store.create(NewJob(uuid4(), JobRequest("base", sha256="0" * 64)))
    await deps.objects.put(audio_key(job.id), once(b"audio"))
    await deps.store.cancel(job.id)
    return job.id


class Late(EncryptedObjects):
    """Objects whose job is deleted when its audio has been read and is about to be replaced."""

    async def put(self, key: str, chunks: object) -> int:
        await forget(self.deps, UUID(key.split("/")[1]))
        return await super().put(key, once(b"audio"))

    deps: Deps


async def test_what_was_deleted_meanwhile_does_not_come_back(deps: Deps) -> None:
    await cancelled(deps)
    late = Late(deps.objects, Keyring("one", {"one": new_key()}))
    late.deps = deps
    progress = await encrypt(late, deps.store, nothing)
    assert progress.fates["encrypted"] == 1
    assert [key async for key in deps.objects.list("jobs/")] == []


async def test_an_ended_job_is_read_as_before_and_one_that_runs_is_left_alone(deps: Deps, stored: Path) -> None:
    ended = await cancelled(deps)
    waiting, _ = await deps.store.create(NewJob(uuid4(), JobRequest("base", sha256="1" * 64)))
    await deps.objects.put(audio_key(waiting.id), once(b"audio"))
    await deps.objects.put(audio_key(uuid4()), once(b"nobody's"))
    await deps.objects.put("jobs/else", once(b"not ours"))
    objects = EncryptedObjects(deps.objects, Keyring("one", {"one": new_key()}))
    progress = await encrypt(objects, deps.store, nothing)
    assert not progress.done
    assert str(progress) == "3 objects: 1 encrypted, 0 before, 1 later, 1 unknown"
    assert (stored / audio_key(ended)).stat().st_size == HEADER + len(b"audio") + 16
    assert (stored / audio_key(waiting.id)).read_bytes() == b"audio"
    lenient = replace(deps, objects=EncryptedObjects(deps.objects, objects.ring, Policy(unencrypted=True)))
    for job in (ended, waiting.id):
        assert b"".join([chunk async for chunk in lenient.objects.get(audio_key(job))]) == b"audio"
    await deps.store.cancel(waiting.id)
    again = await encrypt(objects, deps.store, nothing)
    assert (again.done, again.fates["encrypted"], again.fates["before"]) == (True, 1, 1)
