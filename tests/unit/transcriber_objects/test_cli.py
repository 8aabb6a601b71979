"""`objects rewrap` and `objects encrypt` beside a data folder."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

from whisper_transcriber.domain.job import JobRequest, NewJob, audio_key
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.objects.encrypted import EncryptedObjects
from whisper_transcriber.objects.keyring import new_key, parse
from whisper_transcriber.store.sqlite import SqliteStore

OLD, NEW = (f"{name}: {new_key().hex()}\n" for name in ("old", "new"))


def run(command: str, folder: Path, keys: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "whisper_transcriber", "objects", command, "--data-dir", str(folder)]
    env = {**os.environ, "WHISPER_OBJECTS_KEYS": keys}
    return subprocess.run(program, env=env, capture_output=True, text=True, check=False, timeout=60)


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def read(folder: Path, keys: str, key: str) -> bytes:
    objects = EncryptedObjects(DiskObjects(folder / "objects"), parse(keys))
    return b"".join([chunk async for chunk in objects.get(key)])


async def kept(folder: Path) -> str:
    """The key of the audio of a job that has ended, all as a service without keys leaves it."""
    store = SqliteStore(folder / "jobs.sqlite")
    await store.migrate()
    job, _ = await store.create(NewJob(uuid4(), JobRequest("base", sha256="0" * 64)))
    await DiskObjects(folder / "objects").put(audio_key(job.id), once(b"audio"))
    await store.cancel(job.id)
    await store.close()
    return audio_key(job.id)


def test_a_data_folder_is_encrypted_and_its_keys_change(tmp_path: Path) -> None:
    key = asyncio.run(kept(tmp_path))
    encrypted = run("encrypt", tmp_path, OLD)
    assert (encrypted.returncode, encrypted.stderr) == (0, "")
    assert encrypted.stdout == "1 objects: 1 encrypted, 0 before, 0 later, 0 unknown\n"
    missing = run("rewrap", tmp_path, NEW)
    assert missing.returncode == 2
    assert "1 by the key 'old', which is not there" in missing.stdout
    assert run("rewrap", tmp_path, NEW + OLD).stdout == "1 objects: 1 rewrapped, 0 current, 0 unencrypted, 0 damaged\n"
    assert asyncio.run(read(tmp_path, NEW, key)) == b"audio"
    assert run("rewrap", tmp_path, NEW).returncode == 0


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    async def during() -> "subprocess.CompletedProcess[str]":
        store = SqliteStore(tmp_path / "jobs.sqlite")
        await store.migrate()
        try:
            return await asyncio.to_thread(run, "encrypt", tmp_path, OLD)
        finally:
            await store.close()

    refused = asyncio.run(during())
    assert refused.returncode == 1
    assert "jobs.sqlite" in refused.stderr
