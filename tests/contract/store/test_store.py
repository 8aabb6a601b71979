"""What every store promises."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from contract.store.steps import LONG, REQUEST, SHORT, claimed, claimed_after_lapse, done, new
from whisper_transcriber.domain.job import Failure
from whisper_transcriber.store.port import Facts, Filters, IdempotencyMismatch, StaleClaim, Store


async def test_a_new_job_is_queued_and_reads_back_as_it_was_asked_for(store: Store) -> None:
    job, created = await store.create(new())
    assert created
    assert (job.status, job.progress, job.request) == ("queued", 0, REQUEST)
    assert await store.get(job.id) == job
    assert await store.get(uuid4()) is None


async def test_several_jobs_are_found_at_once(store: Store) -> None:
    first, second, _ = [(await store.create(new()))[0] for _ in range(3)]
    assert await store.find({first.id, second.id, uuid4()}) == {first.id: first, second.id: second}
    assert await store.find(()) == {}


async def test_the_same_key_and_request_is_the_same_job(store: Store) -> None:
    first, _ = await store.create(new(key="k"))
    second, created = await store.create(new(key="k"))
    assert (second.id, created) == (first.id, False)


async def test_the_same_key_with_another_request_is_refused(store: Store) -> None:
    await store.create(new(key="k"))
    with pytest.raises(IdempotencyMismatch):
        await store.create(new(replace(REQUEST, sha256="11"), key="k"))


async def test_many_creations_with_one_key_at_once_make_one_job(store: Store) -> None:
    made = await asyncio.gather(*(store.create(new(key="k")) for _ in range(8)))
    assert len({job.id for job, _ in made}) == 1
    assert sum(created for _, created in made) == 1


async def test_jobs_without_a_key_are_all_different(store: Store) -> None:
    first, _ = await store.create(new())
    second, _ = await store.create(new())
    assert first.id != second.id


async def test_claims_go_by_priority_then_age(store: Store) -> None:
    jobs = [(await store.create(new(replace(REQUEST, priority=priority))))[0].id for priority in (0, 5, 0, 5)]
    order = [(await claimed(store)).job.id for _ in jobs]
    assert order == [jobs[1], jobs[3], jobs[0], jobs[2]]
    assert await store.claim("worker", LONG) is None


async def test_a_job_is_claimed_once_however_many_try(store: Store) -> None:
    for _ in range(5):
        await store.create(new())
    claims = await asyncio.gather(*(store.claim(f"worker-{i}", LONG) for i in range(10)))
    got = [claim.job.id for claim in claims if claim]
    assert len(got) == len(set(got)) == 5


async def test_a_silent_workers_job_is_claimed_again_and_counts_a_failure(store: Store) -> None:
    await store.create(new())
    first = await claimed(store, SHORT)
    second = await claimed_after_lapse(store)
    assert (second.job.id, second.attempt, second.job.failures) == (first.job.id, 2, 1)


async def test_a_renewed_claim_does_not_lapse(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store, SHORT)
    await store.renew(claim, LONG)
    assert await store.claim("other", LONG) is None


async def test_checkpoints_are_kept_in_order_and_show_progress(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store)
    await store.learn(claim, Facts(audio_seconds=80.0, model_digest="sha256:1", engine="ctranslate2"))
    await store.checkpoint(claim, [done(1), done(0)], LONG)
    job = await store.get(claim.job.id)
    assert job is not None
    assert (job.windows_done, job.windows_repeated, job.processed_seconds, job.progress) == (2, 0, 40.0, 50)
    assert (job.model_digest, job.engine) == ("sha256:1", "ctranslate2")
    assert await store.windows(claim.job.id) == [done(0), done(1)]


async def test_a_window_recorded_twice_counts_as_repeated(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store)
    await store.checkpoint(claim, [done(0)], LONG)
    await store.checkpoint(claim, [done(0, " anders"), done(1)], LONG)
    job = await store.get(claim.job.id)
    assert job is not None
    assert (job.windows_done, job.windows_repeated) == (2, 1)
    assert await store.windows(claim.job.id) == [done(0, " anders"), done(1)]


async def test_progress_wipes_out_failures(store: Store) -> None:
    await store.create(new())
    await store.hand_back(await claimed(store), failed=True)
    claim = await claimed(store)
    assert claim.job.failures == 1
    await store.checkpoint(claim, [done(0)], LONG)
    await store.hand_back(claim, failed=False)
    assert (await claimed(store)).job.failures == 0


async def test_the_next_attempt_finds_the_windows_done(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store, SHORT)
    await store.checkpoint(claim, [done(0)], SHORT)
    again = await claimed_after_lapse(store)
    assert await store.windows(again.job.id) == [done(0)]


async def test_whatever_a_stale_attempt_writes_is_refused(store: Store) -> None:
    await store.create(new())
    stale = await claimed(store)
    await store.hand_back(stale, failed=False)
    current = await claimed(store)
    before = await store.get(current.job.id)
    for write in (
        store.renew(stale, LONG),
        store.learn(stale, Facts(audio_seconds=1.0)),
        store.checkpoint(stale, [done(0)], LONG),
        store.succeed(stale, "de", 1.0),
        store.fail(stale, Failure("internal_error", "no")),
        store.hand_back(stale, failed=True),
    ):
        with pytest.raises(StaleClaim):
            await write
    assert await store.get(current.job.id) == before
    assert await store.windows(current.job.id) == []


async def test_success_closes_the_claim(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store)
    await store.checkpoint(claim, [done(0)], LONG)
    job = await store.succeed(claim, "de", 20.0)
    assert (job.status, job.progress, job.language, job.audio_seconds) == ("succeeded", 100, "de", 20.0)
    assert (job.windows_done, job.windows_total) == (1, 1)
    assert job.finished_at is not None
    assert job.real_time_factor is not None
    assert await store.get(job.id) == job
    assert await store.windows(job.id) == []
    assert await store.claim("worker", LONG) is None


async def test_failure_carries_its_reason(store: Store) -> None:
    await store.create(new())
    job = await store.fail(await claimed(store), Failure("invalid_audio", "no audio stream"))
    assert (job.status, job.failure) == ("failed", Failure("invalid_audio", "no audio stream"))
    assert await store.claim("worker", LONG) is None


async def test_a_job_handed_back_is_claimable_at_once(store: Store) -> None:
    await store.create(new())
    first = await claimed(store)
    await store.hand_back(first, failed=False)
    second = await claimed(store)
    assert (second.job.id, second.attempt, second.job.failures) == (first.job.id, 2, 0)


async def test_a_queued_job_is_cancelled_for_good(store: Store) -> None:
    job, _ = await store.create(new())
    cancelled = await store.cancel(job.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at is not None
    assert await store.claim("worker", LONG) is None
    assert await store.cancel(uuid4()) is None


async def test_cancelling_a_running_job_fences_its_worker(store: Store) -> None:
    await store.create(new())
    claim = await claimed(store)
    await store.checkpoint(claim, [done(0)], LONG)
    await store.cancel(claim.job.id)
    with pytest.raises(StaleClaim):
        await store.checkpoint(claim, [done(1)], LONG)
    assert await store.windows(claim.job.id) == []


async def test_an_ended_job_cannot_be_cancelled(store: Store) -> None:
    await store.create(new())
    job = await store.succeed(await claimed(store), "de", 1.0)
    assert await store.cancel(job.id) == job


async def test_a_deleted_job_is_gone_and_its_worker_fenced(store: Store) -> None:
    await store.create(new(key="k"))
    claim = await claimed(store)
    await store.checkpoint(claim, [done(0)], LONG)
    assert await store.delete(claim.job.id)
    assert not await store.delete(claim.job.id)
    assert await store.get(claim.job.id) is None
    assert await store.windows(claim.job.id) == []
    with pytest.raises(StaleClaim):
        await store.renew(claim, LONG)
    _, created = await store.create(new(key="k"))
    assert created


async def test_the_list_is_newest_first_and_pages(store: Store) -> None:
    ids = [(await store.create(new()))[0].id for _ in range(5)]
    ids.reverse()
    assert [job.id for job in await store.list(3)] == ids[:3]
    assert [job.id for job in await store.list(3, after=ids[2])] == ids[3:]
    assert await store.list(3, after=uuid4()) == []
    await store.cancel(ids[1])
    assert [job.id for job in await store.list(9, filters=Filters(status="cancelled"))] == [ids[1]]


async def test_the_queue_says_how_much_waits(store: Store) -> None:
    empty = await store.queue()
    assert (empty.queued, empty.running, empty.oldest_seconds) == (0, 0, 0)
    for _ in range(3):
        await store.create(new())
    await claimed(store)
    waiting = await store.queue()
    assert (waiting.queued, waiting.running) == (2, 1)
    assert waiting.oldest_seconds >= 0


async def test_a_migrated_store_is_ready(store: Store) -> None:
    await store.ready()
    assert await store.migrate() == []


EVER, AT_ONCE = 600.0, -1.0


async def test_an_upload_is_abandoned_if_no_job_comes_of_it(store: Store) -> None:
    job = new(key="k")
    await store.begin_upload(job.id)
    assert await store.abandoned(EVER, EVER) == []
    assert await store.abandoned(AT_ONCE, EVER) == [job.id]
    await store.create(job)
    assert await store.abandoned(AT_ONCE, EVER) == []
    again = new(key="k")
    await store.begin_upload(again.id)
    await store.create(again)
    assert await store.abandoned(AT_ONCE, EVER) == [again.id]
    assert not await store.delete(again.id)
    assert await store.abandoned(AT_ONCE, EVER) == []


async def test_a_synchronous_job_is_abandoned_once_it_has_ended(store: Store) -> None:
    waited_for = replace(new(), synchronous=True)
    for job in (waited_for, new()):
        await store.create(job)
    assert await store.abandoned(EVER, AT_ONCE) == []
    for _ in range(2):
        await store.fail(await claimed(store), Failure("invalid_audio", "There is no audio stream."))
    assert await store.abandoned(EVER, EVER) == []
    assert await store.abandoned(EVER, AT_ONCE) == [waited_for.id]
