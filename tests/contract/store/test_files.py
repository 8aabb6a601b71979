"""What every store promises of uploads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from whisper_transcriber.domain.files import File, Segment
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.sqlite import SqliteStore

NOW = datetime.now(UTC)


def new(hours: int = 1) -> File:
    return File(uuid4(), "a", "tus", 7, NOW, NOW + timedelta(hours=hours), "Ähre.wav", metadata="filename xx")


async def test_an_upload_reads_back_and_is_changed_by_who_knows_it(store: Store) -> None:
    file = new()
    await store.files.add(file)
    assert await store.files.get(file.id) == file
    segment = Segment(uuid4(), 7)
    saved = await store.files.save(replace(file, segments=(segment,), status="completed"))
    assert saved is not None
    assert (saved.version, saved.received, await store.files.get(file.id)) == (1, 7, saved)
    assert await store.files.save(replace(file, status="cancelled")) is None
    assert await store.files.get(file.id) == saved
    await store.files.delete(file.id)
    assert await store.files.get(file.id) is None
    assert await store.files.save(saved) is None


async def test_uploads_expire(store: Store) -> None:
    old, young = new(-1), new()
    await store.files.add(old)
    await store.files.add(young)
    assert await store.files.expired() == [old.id]


async def test_uploads_of_one_machine_outlive_its_process(tmp_path: Path) -> None:
    first, file = SqliteStore(tmp_path / "jobs.sqlite"), new()
    await first.migrate()
    await first.files.add(file)
    saved = await first.files.save(replace(file, segments=(Segment(uuid4(), 3),)))
    await first.close()
    second = SqliteStore(tmp_path / "jobs.sqlite")
    await second.migrate()
    assert await second.files.get(file.id) == saved
    await second.close()
