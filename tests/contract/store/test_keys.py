"""What every store promises of API keys, their limits and how long tenants keep their jobs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from contract.store.steps import LONG, claimed, done, new
from services.servers import until
from whisper_transcriber.domain.job import Failure
from whisper_transcriber.domain.keys import NewKey, digest
from whisper_transcriber.store.port import Facts, Store
from whisper_transcriber.store.sqlite import SqliteStore


async def key(store: Store, secret: str = "s", **of: object) -> UUID:
    asked = NewKey(uuid4(), "laptop", "a", ("jobs",))
    return (await store.keys.add(replace(asked, **of), digest(secret), "wk_1234")).id  # type: ignore[arg-type]


async def test_a_key_is_found_by_its_hash_until_it_is_revoked(store: Store) -> None:
    id_ = await key(store)
    use = await store.keys.use(digest("s"))
    assert use is not None
    assert (use.usable, use.key.id, use.key.tenant, use.key.scopes, use.left) == (True, id_, "a", ("jobs",), None)
    assert await store.keys.use(digest("other")) is None
    first = await store.keys.revoke(id_)
    assert first is not None
    assert first.revoked_at is not None
    assert (await store.keys.revoke(id_)) == first
    assert not (await store.keys.use(digest("s"))).usable  # type: ignore[union-attr]
    assert [each.id for each in await store.keys.list()] == [id_]
    assert await store.keys.revoke(uuid4()) is None


async def test_keys_of_one_machine_outlive_its_process(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "jobs.sqlite")
    await first.migrate()
    id_ = await key(first)
    await first.keys.keep("a", 60)
    await first.create(replace(new(), api_key=id_))
    await first.succeed(await claimed(first), "de", 7.0)
    await first.close()
    second = SqliteStore(tmp_path / "jobs.sqlite")
    await second.migrate()
    assert (await second.keys.use(digest("s"))).key.id == id_  # type: ignore[union-attr]
    assert (await second.keys.retention("a"), await second.keys.audio_used(id_)) == (60, 7.0)
    await second.close()


async def test_an_expired_key_is_of_no_use(store: Store) -> None:
    await key(store, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert not (await store.keys.use(digest("s"))).usable  # type: ignore[union-attr]


async def test_a_key_makes_so_many_requests_and_then_waits(store: Store) -> None:
    await key(store, requests_per_minute=3)
    uses = [await store.keys.use(digest("s")) for _ in range(5)]
    assert [use.left for use in uses if use] == [2, 1, 0, 0, 0]
    assert [use.wait > 0 for use in uses if use] == [False, False, False, True, True]
    assert 15 < uses[4].wait <= 20  # type: ignore[union-attr]


async def test_requests_at_once_are_all_counted(store: Store) -> None:
    await key(store, requests_per_minute=5)
    uses = await asyncio.gather(*(store.keys.use(digest("s")) for _ in range(12)))
    assert sum(use.wait == 0 for use in uses if use) == 5


async def test_audio_counts_from_when_it_is_known_and_after_the_end(store: Store) -> None:
    id_ = await key(store)
    await store.create(replace(new(), api_key=id_))
    assert await store.keys.audio_used(id_) == 0
    claim = await claimed(store)
    await store.learn(claim, Facts(audio_seconds=50.0))
    assert await store.keys.audio_used(id_) == 50
    await store.checkpoint(claim, [done(0)], LONG)
    await store.fail(claim, Failure("internal_error", "No."))
    assert await store.keys.audio_used(id_) == 20
    await store.delete(claim.job.id)
    await store.create(replace(new(), api_key=id_))
    await store.succeed(await claimed(store), "de", 7.0)
    assert await store.keys.audio_used(id_) == 27
    assert await store.keys.audio_used(uuid4()) == 0


async def test_jobs_stay_as_long_as_their_tenant_says(store: Store) -> None:
    jobs = {}
    for tenant in ("a", "b"):
        jobs[tenant], _ = await store.create(new(tenant=tenant))
        await store.cancel(jobs[tenant].id)
    await store.create(new(tenant="a"))
    assert await store.abandoned(LONG, LONG) == []
    await store.keys.keep("a", 0)

    async def over() -> bool:
        return await store.abandoned(LONG, LONG) == [jobs["a"].id]

    await until(over, "the job's time to be over")
    await store.keys.keep("a", 1000)
    assert await store.keys.retention("a") == 1000
    assert await store.abandoned(LONG, LONG, 0) == [jobs["b"].id]
    await store.keys.keep("a", None)
    assert await store.keys.retention("a") is None
