"""Requests for the same share a job: who joins it, and what becomes of it when they leave."""

import asyncio

import pytest

from contract.store.steps import LONG, REQUEST, claimed, done, new, part, split
from whisper_transcriber.domain.job import Failure, NewJob
from whisper_transcriber.store.port import StaleClaim, Store


def asked(tenant: str = "default") -> NewJob:
    return NewJob(new().id, REQUEST, "the same", tenant, synchronous=True)


async def test_whoever_asks_for_the_same_joins_the_job_of_its_own_tenant(store: Store) -> None:
    (first, created), (second, again) = await store.join(asked()), await store.join(asked())
    assert (created, again, second.id) == (True, False, first.id)
    other, created = await store.join(asked("other"))
    assert created
    assert other.id != first.id
    assert await store.leave(first.id) == 1
    assert await store.leave(first.id) == 0


async def test_many_at_once_make_one_job(store: Store) -> None:
    joined = await asyncio.gather(*(store.join(asked()) for _ in range(8)))
    assert len({job.id for job, _ in joined}) == 1
    assert sum(created for _, created in joined) == 1
    assert [await store.leave(joined[0][0].id) for _ in range(8)] == [7, 6, 5, 4, 3, 2, 1, 0]


async def test_a_job_that_nobody_waits_for_is_parked_and_goes_on_where_it_stopped(store: Store) -> None:
    job, _ = await store.join(asked())
    claim = await claimed(store)
    await store.checkpoint(claim, [done(0)], LONG)
    assert await store.leave(job.id) == 0
    found = await store.get(job.id)
    assert found is not None
    assert (found.status, found.windows_done) == ("parked", 1)
    with pytest.raises(StaleClaim):
        await store.checkpoint(claim, [done(1)], LONG)
    assert await store.claim("worker", LONG) is None
    queue = await store.queue()
    assert (queue.queued, queue.running, queue.claimable, queue.claimed) == (0, 0, 0, 0)
    back, created = await store.join(asked())
    assert (back.id, back.status, back.finished_at, created) == (job.id, "queued", None, False)
    again = await claimed(store)
    assert (again.job.id, again.failures) == (job.id, 0)
    assert await store.windows(job.id) == [done(0)]
    with pytest.raises(StaleClaim):
        await store.renew(claim, LONG)


async def test_while_one_waits_the_work_goes_on(store: Store) -> None:
    job, _ = await store.join(asked())
    claim = await claimed(store)
    await store.join(asked())
    assert await store.leave(job.id) == 1
    await store.checkpoint(claim, [done(0)], LONG)
    assert not await store.unname(job.id)


async def test_parts_of_a_parked_job_wait_with_it(store: Store) -> None:
    job = await split(store, 2)
    first = await claimed(store)
    await store.checkpoint(first, [done(0)], LONG)
    assert await store.leave(job) == 0
    assert await store.claim("worker", LONG) is None
    with pytest.raises(StaleClaim):
        await store.renew(first, LONG)
    assert [each.number for each in await store.parts(job)] == [0, 1]
    assert await store.windows(job) == [done(0)]


async def test_an_opening_that_was_parked_goes_on_at_once(store: Store) -> None:
    job, _ = await store.join(asked())
    opening = await claimed(store)
    await store.add_part(opening, part(0), LONG)
    await store.leave(job.id)
    await store.join(asked())
    kinds = {(await claimed(store)).kind for _ in range(2)}
    assert kinds == {"open", "part"}
    with pytest.raises(StaleClaim):
        await store.add_part(opening, part(1), LONG)


async def test_one_that_failed_is_tried_anew_and_still_there_for_those_who_waited(store: Store) -> None:
    job, _ = await store.join(asked())
    await store.fail(await claimed(store), Failure("internal_error", "It failed."))
    fresh, created = await store.join(asked())
    assert created
    assert fresh.id != job.id
    assert await store.get(job.id) is not None


async def test_nobody_joins_what_was_given_up(store: Store) -> None:
    job, _ = await store.join(asked())
    assert await store.leave(job.id) == 0
    assert await store.unname(job.id)
    fresh, created = await store.join(asked())
    assert created
    assert fresh.id != job.id
    assert not await store.unname(new().id)
    assert await store.leave(new().id) == 0


async def test_what_stays_parked_is_swept(store: Store) -> None:
    job, _ = await store.join(asked())
    assert await store.abandoned(LONG, 0.0) == []
    await store.leave(job.id)
    assert await store.abandoned(LONG, -1.0) == [job.id]
    assert await store.abandoned(LONG, LONG) == []
