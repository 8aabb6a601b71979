"""What every store promises of uploads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from whisper_transcriber.domain.files import File, Segment
from whisper_transcriber.store.files import Page
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.sqlite import SqliteStore

NOW = datetime.now(UTC)


def new(hours: int = 24) -> File:
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


async def test_files_are_listed_by_tenant_in_the_order_of_their_making(store: Store) -> None:
    def made(seconds: int, **fields: Any) -> File:
        about = {"kind": "whole", "purpose": "batch", "status": "completed", **fields}
        return replace(new(), created_at=NOW + timedelta(seconds=seconds), **about)

    first, second, third = made(1), made(2, purpose="user_data"), made(3)
    others = [made(4, tenant="b"), made(5, status="pending"), made(6, expires_at=NOW - timedelta(hours=1))]
    for file in (second, third, *others, first):
        await store.files.add(file)

    async def listed(tenant: str = "a", **page: Any) -> list[UUID]:
        return [file.id for file in await store.files.list(tenant, Page(**{"limit": 9, **page}))]

    assert await listed() == [third.id, second.id, first.id]
    assert await listed(newest_first=False) == [first.id, second.id, third.id]
    assert await listed(limit=2) == [third.id, second.id]
    assert await listed(after=third.id, limit=1) == [second.id]
    assert await listed(after=first.id, newest_first=False) == [second.id, third.id]
    assert await listed(purpose="batch") == [third.id, first.id]
    assert await listed(tenant="b", after=third.id) == []
    assert await listed(after=uuid4()) == []
