"""Many workers at once on PostgreSQL: nothing is claimed twice, nothing is forgotten, and the queue may be long."""

import asyncio
from collections import Counter
from uuid import UUID

import asyncpg

from contract.store.steps import LONG, done, new, split
from services.servers import until
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.store.port import StaleClaim
from whisper_transcriber.store.postgres import PostgresStore

WORKERS = 12


async def test_a_crowd_of_workers_does_every_part_once_and_closes_every_job_once(database: str) -> None:
    stores = [PostgresStore(database, connections=2) for _ in range(WORKERS)]
    await stores[0].migrate()
    long = {await split(stores[0], 9, tenant=f"tenant-{number}") for number in range(4)}
    short = {(await stores[0].create(new(tenant="clips")))[0].id for _ in range(20)}
    left = set(long | short)
    taken: Counter[tuple[UUID, str, int]] = Counter()
    together = asyncio.Barrier(WORKERS)

    async def work(store: PostgresStore) -> None:
        await together.wait()
        while left:
            if (claim := await store.claim("worker", LONG)) is None:
                await asyncio.sleep(0)  # everything is in hands: theirs may yet come back as something to close
            else:
                await _do(store, claim, taken, left)

    await asyncio.gather(*map(work, stores))
    expected = {(job, "part", number) for job in long for number in range(9)} | {(job, "open", -1) for job in short}
    assert dict(taken) == dict.fromkeys(expected | {(job, "close", -1) for job in long}, 1)
    for job in long:
        found = await stores[0].get(job)
        assert found is not None
        assert (found.status, found.windows_done, found.parts_done, found.windows_repeated) == ("succeeded", 27, 9, 0)
    await asyncio.gather(*(store.close() for store in stores))


async def _do(store: PostgresStore, claim: Claim, taken: Counter[tuple[UUID, str, int]], left: set[UUID]) -> None:
    number = claim.part.number if claim.part else -1
    taken[claim.job.id, claim.kind, number] += 1
    if claim.part is None:
        await store.succeed(claim, "de", claim.job.audio_seconds or 1.0)
        left.discard(claim.job.id)
        return
    for index in range(3):
        await store.checkpoint(claim, [done(index, begin=claim.part.start)], LONG)
    if (close := await store.finish_part(claim, LONG)) is not None:
        await _do(store, close, taken, left)


async def test_deleting_and_cancelling_in_a_crowd_only_makes_claims_stale(database: str) -> None:
    stores = [PostgresStore(database, connections=2) for _ in range(WORKERS)]
    await stores[0].migrate()
    jobs = [await split(stores[0], 8) for _ in range(6)]

    async def work(store: PostgresStore) -> None:
        while (claim := await store.claim("worker", LONG)) is not None:
            try:
                for index in range(4):
                    await store.checkpoint(claim, [done(index)], LONG)
                if claim.part is not None:
                    await store.finish_part(claim, LONG)
            except StaleClaim:
                continue

    async def end(store: PostgresStore) -> None:
        for job in jobs[::2]:
            await store.cancel(job)
            await store.delete(job)

    await asyncio.gather(*map(work, stores[1:]), end(stores[0]))
    assert [await stores[0].get(job) for job in jobs[::2]] == [None] * 3
    for job in jobs[1::2]:
        found = await stores[0].get(job)
        assert found is not None
        assert (found.parts_done, found.windows_done) == (8, 32)
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_claim_reads_little_of_a_long_queue(database: str) -> None:
    store = PostgresStore(database)
    await store.migrate()
    connection = await asyncpg.connect(database)
    await connection.execute(
        """
        INSERT INTO jobs (id, tenant, fingerprint, priority, model, options, sha256, due_at)
        SELECT gen_random_uuid(), 'tenant-' || n % 20, '00', n % 3, 'base', '{}', '00',
               clock_timestamp() + make_interval(secs => n % 300)
        FROM generate_series(1, 10000) n
        """
    )
    await connection.execute("ANALYZE jobs")
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'jobs'"
    await connection.execute("SELECT pg_stat_force_next_flush()")
    before = await connection.fetchval(read)
    claim = await store.claim("worker", LONG)
    assert claim is not None
    assert claim.job.request.priority == 2
    await store.close()  # its backend reports what it read when it ends

    async def reported() -> bool:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        return bool(await connection.fetchval(read) != before)

    await until(reported, "the statistics of the claim")
    assert await connection.fetchval(read) - before < 10_000 / 4
    await connection.close()
