"""What every store promises of batches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from contract.store.steps import LONG, SHORT
from services.servers import until
from whisper_transcriber.domain.batches import Batch, Problem, Refusal
from whisper_transcriber.domain.files import Segment
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.sqlite import SqliteStore

NOW = datetime.now(UTC)


def new(seconds: int = 0, tenant: str = "a") -> Batch:
    made, about = NOW + timedelta(seconds=seconds), {"name": "Ähre"}
    return Batch(uuid4(), tenant, "/v1/audio/translations", uuid4(), made, made, about, uuid4())


async def added(store: Store, *batches: Batch) -> None:
    for batch in batches:
        await store.batches.add(batch)


async def claimed(store: Store, lease: float = LONG) -> Batch:
    batch = await store.batches.claim(lease)
    assert batch is not None
    return batch


async def test_a_batch_reads_back_as_it_was_recorded(store: Store) -> None:
    batch = new()
    await added(store, batch)
    assert await store.batches.get(batch.id) == batch
    held = await claimed(store)
    assert held == replace(batch, fence=1)
    known = replace(
        held,
        recorded="in_progress",
        total=9,
        reserved=4,
        made=3,
        refused={3: Refusal(404, None, "Straße", "body.file")},
        output=(Segment(uuid4(), 7),),
        problems=(Problem("a", "b", 3, "c"),),
        in_progress_at=NOW,
    )
    assert await store.batches.save(known, LONG) == known
    assert await store.batches.get(batch.id) == known
    await store.batches.delete(batch.id)
    assert await store.batches.get(batch.id) is None
    assert await store.batches.save(known, LONG) is None
    assert not await store.batches.renew(known, LONG)


async def test_a_batch_is_worked_at_by_one(store: Store) -> None:
    batch = new()
    await added(store, batch)
    first = await claimed(store, SHORT)
    found: list[Batch] = []

    async def lapsed() -> bool:
        if other := await store.batches.claim(LONG):
            found.append(other)
        return bool(found)

    await until(lapsed, "the lease to run out")
    (second,) = found
    assert second.fence == first.fence + 1
    assert await store.batches.save(replace(first, total=1), LONG) is None
    assert not await store.batches.renew(first, LONG)
    await store.batches.release(first, 0)
    assert await store.batches.claim(LONG) is None
    assert await store.batches.renew(second, LONG)
    await store.batches.release(second, LONG)
    assert await store.batches.claim(LONG) is None
    assert await store.batches.save(second, LONG) is None, "whoever has let go changes nothing"


async def test_who_waits_longest_is_next(store: Store) -> None:
    first, second = new(), new()
    await added(store, first)
    await added(store, second)
    held = await claimed(store)
    assert held.id == first.id
    await store.batches.release(held, 0)
    assert [(await claimed(store)).id for _ in range(2)] == [second.id, first.id]


async def test_the_end_is_asked_for_and_heard_of(store: Store) -> None:
    batch, other = new(), new()
    await added(store, batch)
    held = await claimed(store)
    asked = await store.batches.cancel(batch.id)
    assert asked is not None
    assert (asked.status, asked.cancelling_at is not None, asked.fence) == ("cancelling", True, held.fence)
    assert await store.batches.claim(LONG) is None, "somebody is at it"
    saved = await store.batches.save(replace(held, total=3), LONG)
    assert saved is not None
    assert (saved.total, saved.cancelling_at) == (3, asked.cancelling_at)
    assert await store.batches.cancel(batch.id) == saved
    await added(store, other)
    rested = await claimed(store)
    await store.batches.release(rested, LONG)
    await store.batches.cancel(other.id)
    assert (await claimed(store)).id == other.id
    assert await store.batches.cancel(uuid4()) is None


async def test_what_has_ended_is_left_alone(store: Store) -> None:
    await added(store, new(), waiting := new())
    assert await store.batches.open() == 2
    held = await claimed(store)
    ended = await store.batches.save(replace(held, recorded="completed", ended_at=NOW), LONG)
    assert ended is not None
    assert await store.batches.open() == 1
    assert await store.batches.cancel(ended.id) == ended
    assert (await claimed(store)).id == waiting.id
    assert await store.batches.claim(LONG) is None
    await store.batches.release(ended, 0)
    assert await store.batches.claim(LONG) is None


async def test_what_has_ended_stays_as_long_as_jobs_do(store: Store) -> None:
    old = datetime.now(UTC) - timedelta(hours=2)
    batches = {tenant: new(tenant=tenant) for tenant in ("a", "b")}
    await added(store, *batches.values(), new(-9000))
    for _ in batches:
        await store.batches.save(replace(await claimed(store), recorded="completed", ended_at=old), LONG)

    async def gone(kept: float | None = None) -> set[UUID]:
        return {batch.id for batch in await store.batches.abandoned(kept)}

    assert await gone() == set()
    assert await gone(9000) == set()
    assert await gone(3600) == {batch.id for batch in batches.values()}
    await store.keys.keep("b", 60)
    assert await gone() == {batches["b"].id}
    await store.keys.keep("a", 9000)
    assert await gone(3600) == {batches["b"].id}


async def test_batches_are_listed_newest_first_by_tenant(store: Store) -> None:
    first, second, third, theirs = new(1), new(2), new(3), new(4, tenant="b")
    await added(store, second, first, theirs, third)

    async def listed(tenant: str = "a", limit: int = 9, after: UUID | None = None) -> list[UUID]:
        return [batch.id for batch in await store.batches.list(tenant, limit, after)]

    assert await listed() == [third.id, second.id, first.id]
    assert await listed(limit=2) == [third.id, second.id]
    assert await listed(after=second.id) == [first.id]
    assert await listed("b", after=third.id) == []
    assert await listed(after=uuid4()) == []


async def test_batches_of_one_machine_outlive_its_process(tmp_path: Path) -> None:
    first, batch = SqliteStore(tmp_path / "jobs.sqlite"), new()
    await first.migrate()
    await first.batches.add(batch)
    held = await claimed(first)
    await first.batches.save(replace(held, total=3), LONG)
    await first.batches.cancel(batch.id)
    await first.close()
    second = SqliteStore(tmp_path / "jobs.sqlite")
    await second.migrate()
    found = await claimed(second)
    assert (found.id, found.total, found.fence, found.status) == (batch.id, 3, held.fence + 1, "cancelling")
    await second.close()


async def test_what_was_begun_by_who_died_is_begun_again(store: Store) -> None:
    job = uuid4()
    await store.begin_upload(job)
    await store.begin_upload(job)
    assert await store.abandoned(LONG, LONG) == []
    await store.delete(job)
    assert await store.abandoned(-LONG, LONG) == []
