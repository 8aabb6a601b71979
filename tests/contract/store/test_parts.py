"""What every store promises of long files, which are claimed part by part."""

import asyncio
from dataclasses import replace

import pytest

from contract.store.steps import LONG, SHORT, claimed, claimed_after_lapse, done, new, opening, part, split
from whisper_transcriber.domain.job import Claim, Failure
from whisper_transcriber.store.port import Facts, StaleClaim, Store


async def finished(store: Store, claim: Claim, windows: int = 1) -> Claim | None:
    """Do a part: its windows, and its end."""
    assert claim.part is not None
    await store.checkpoint(claim, [done(index, begin=claim.part.start) for index in range(windows)], LONG)
    return await store.finish_part(claim, LONG)


async def test_parts_are_claimable_while_the_file_is_still_being_opened(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    first = await claimed(store)
    assert (first.kind, first.job.id, first.part, first.attempt) == ("part", opener.job.id, part(0), 1)
    assert await store.claim("other", LONG) is None
    await store.add_part(opener, part(1), LONG)
    assert (await claimed(store)).part == part(1)
    job = await store.get(opener.job.id)
    assert job is not None
    assert (job.status, job.parts, job.parts_done, job.opened) == ("running", 2, 0, False)
    assert (job.model_digest, job.engine) == ("sha256:1", "ctranslate2")


async def test_the_last_part_done_closes_the_job(store: Store) -> None:
    job = await split(store, 2)
    one, two = await claimed(store), await claimed(store)
    assert await finished(store, two) is None
    close = await finished(store, one)
    assert close is not None
    assert (close.kind, close.job.id, close.part) == ("close", job, None)
    assert await store.claim("other", LONG) is None
    ended = await store.succeed(close, "de", 200.0)
    assert (ended.status, ended.progress, ended.windows_done, ended.windows_total) == ("succeeded", 100, 2, 2)
    assert await store.windows(job) == []
    assert await store.parts(job) == []
    assert await store.claim("other", LONG) is None


async def test_an_opener_that_is_done_after_all_parts_closes_the_job(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    assert await finished(store, await claimed(store)) is None
    close = await store.opened(opener, 100.0, LONG)
    assert close is not None
    assert close.kind == "close"
    with pytest.raises(StaleClaim):
        await store.renew(opener, LONG)
    await store.renew(close, LONG)


async def test_a_closer_that_fell_silent_is_followed_by_another(store: Store) -> None:
    await split(store, 1)
    one = await claimed(store)
    assert one.part is not None
    stale = await store.finish_part(one, SHORT)
    assert stale is not None
    close = await claimed_after_lapse(store)
    assert (close.kind, close.failures) == ("close", 1)
    with pytest.raises(StaleClaim):
        await store.succeed(stale, "de", 100.0)
    await store.hand_back(close, failed=False)
    again = await claimed(store)
    assert (again.kind, again.failures) == ("close", 1)
    assert (await store.succeed(again, "de", 100.0)).status == "succeeded"


async def test_opening_again_keeps_the_parts_that_are_there(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    worker = await claimed(store)
    await store.checkpoint(worker, [done(0)], LONG)
    await store.renew(opener, SHORT)
    again = await claimed_after_lapse(store)
    assert (again.kind, again.failures) == ("open", 1)
    assert await store.parts(again.job.id) == [part(0)]
    await store.add_part(again, part(0), LONG)
    await store.add_part(again, part(1), LONG)
    with pytest.raises(StaleClaim):
        await store.add_part(opener, part(2), LONG)
    assert await store.parts(again.job.id) == [part(0), part(1)]
    await store.finish_part(worker, LONG)
    assert await store.opened(again, 200.0, LONG) is None
    assert (await claimed(store)).part == part(1)


async def test_an_opener_may_hand_back_and_the_job_still_runs(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    await store.hand_back(opener, failed=True)
    with pytest.raises(StaleClaim):
        await store.renew(opener, LONG)
    kinds = {(claim.kind, claim.failures) for claim in [await claimed(store), await claimed(store)]}
    assert kinds == {("open", 1), ("part", 0)}
    job = await store.get(opener.job.id)
    assert job is not None
    assert job.status == "running"


async def test_windows_belong_to_their_part_and_progress_adds_up(store: Store) -> None:
    job = await split(store, 2)
    one, two = await claimed(store), await claimed(store)
    await store.checkpoint(two, [done(0, begin=100.0), done(1, begin=100.0)], LONG)
    await store.checkpoint(one, [done(0)], LONG)
    found = await store.get(job)
    assert found is not None
    assert (found.windows_done, found.processed_seconds, found.progress) == (3, 60.0, 30)
    assert await store.windows(job, 1) == [done(0, begin=100.0), done(1, begin=100.0)]
    assert await store.windows(job) == [done(0), done(0, begin=100.0), done(1, begin=100.0)]
    await store.finish_part(one, LONG)
    await store.checkpoint(two, [done(1, " anders", begin=100.0)], LONG)
    found = await store.get(job)
    assert found is not None
    assert (found.windows_done, found.windows_repeated, found.processed_seconds) == (3, 1, 140.0)
    assert (await store.windows(job, 1))[1] == done(1, " anders", begin=100.0)


async def test_a_silent_workers_part_is_claimed_again_with_its_windows(store: Store) -> None:
    job = await split(store, 1)
    first = await claimed(store, SHORT)
    await store.checkpoint(first, [done(0)], SHORT)
    second = await claimed_after_lapse(store)
    assert (second.part, second.attempt, second.failures, second.job.failures) == (part(0), 2, 1, 0)
    assert await store.windows(job, 0) == [done(0)]
    with pytest.raises(StaleClaim):
        await store.finish_part(first, LONG)


async def test_failures_are_counted_for_each_part_and_progress_wipes_them_out(store: Store) -> None:
    await split(store, 2)
    one, two = await claimed(store), await claimed(store)
    await store.hand_back(one, failed=True)
    one = await claimed(store)
    assert (one.part, one.failures, two.failures) == (part(0), 1, 0)
    await store.checkpoint(one, [done(0)], LONG)
    await store.hand_back(one, failed=False)
    assert (await claimed(store)).failures == 0


async def test_a_part_that_cannot_be_done_fails_the_job_for_all(store: Store) -> None:
    job = await split(store, 3)
    one, two = await claimed(store), await claimed(store)
    await store.checkpoint(two, [done(0, begin=100.0)], LONG)
    ended = await store.fail(one, Failure("internal_error", "It broke."))
    assert (ended.status, ended.failure) == ("failed", Failure("internal_error", "It broke."))
    for write in (
        store.renew(two, LONG),
        store.checkpoint(two, [done(1)], LONG),
        store.finish_part(two, LONG),
        store.fail(two, Failure("internal_error", "no")),
        store.hand_back(two, failed=True),
    ):
        with pytest.raises(StaleClaim):
            await write
    assert await store.get(job) == ended
    assert await store.windows(job) == []
    assert await store.claim("worker", LONG) is None


@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_the_end_of_a_job_ends_all_its_claims(store: Store, end: str) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    await store.add_part(opener, part(1), LONG)
    worker = await claimed(store)
    await getattr(store, end)(opener.job.id)
    for write in (
        store.renew(worker, LONG),
        store.checkpoint(worker, [done(0)], LONG),
        store.finish_part(worker, LONG),
        store.hand_back(worker, failed=False),
        store.add_part(opener, part(2), LONG),
        store.opened(opener, 300.0, LONG),
    ):
        with pytest.raises(StaleClaim):
            await write
    assert await store.parts(opener.job.id) == []
    assert await store.claim("worker", LONG) is None


async def test_whatever_a_stale_attempt_at_a_part_writes_is_refused(store: Store) -> None:
    job = await split(store, 1)
    stale = await claimed(store)
    await store.hand_back(stale, failed=False)
    current = await claimed(store)
    before = await store.get(job)
    for write in (
        store.renew(stale, LONG),
        store.checkpoint(stale, [done(0)], LONG),
        store.finish_part(stale, LONG),
        store.fail(stale, Failure("internal_error", "no")),
        store.hand_back(stale, failed=True),
    ):
        with pytest.raises(StaleClaim):
            await write
    assert await store.get(job) == before
    assert await store.windows(job) == []
    await store.renew(current, LONG)


async def test_what_an_opener_did_is_over_once_the_file_is_opened(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    await store.opened(opener, 100.0, LONG)
    for write in (
        store.renew(opener, LONG),
        store.learn(opener, Facts(audio_seconds=1.0)),
        store.add_part(opener, part(1), LONG),
        store.opened(opener, 200.0, LONG),
        store.fail(opener, Failure("internal_error", "no")),
        store.hand_back(opener, failed=True),
    ):
        with pytest.raises(StaleClaim):
            await write
    assert (await claimed(store)).part == part(0)
    assert await store.claim("worker", LONG) is None


async def test_parts_are_claimed_once_and_closed_once_however_many_try(store: Store) -> None:
    job = await split(store, 12)
    claims = await asyncio.gather(*(store.claim(f"worker-{i}", LONG) for i in range(20)))
    got = [claim for claim in claims if claim]
    assert sorted(claim.part.number for claim in got if claim.part) == list(range(12))
    ends = await asyncio.gather(*(finished(store, claim) for claim in got))
    assert [end.kind for end in ends if end] == ["close"]
    found = await store.get(job)
    assert found is not None
    assert (found.parts_done, found.windows_done, found.processed_seconds) == (12, 12, 1200.0)


async def test_the_queue_says_what_a_scaler_asks(store: Store) -> None:
    await store.create(new())
    waiting = await store.queue()
    assert (waiting.unopened, waiting.claimable, waiting.claimed) == (1, 1, 0)
    assert (waiting.backlog_seconds, waiting.in_flight_seconds) == (0, 0)

    opener = await claimed(store)
    await store.learn(opener, Facts(audio_seconds=500.0))
    for number in range(3):
        await store.add_part(opener, part(number), LONG)
    worker = await claimed(store)
    await store.checkpoint(worker, [done(0), done(1)], LONG)
    busy = await store.queue()
    assert (busy.queued, busy.running, busy.unopened, busy.claimable, busy.claimed) == (0, 1, 0, 2, 2)
    # Of 500 s, 40 are done and 200 wait; the rest is in the hands of the worker and the opener.
    assert (busy.backlog_seconds, busy.in_flight_seconds) == (200.0, 260.0)

    await store.opened(opener, 300.0, LONG)
    opened = await store.queue()
    assert (opened.claimable, opened.claimed) == (2, 1)
    assert (opened.backlog_seconds, opened.in_flight_seconds) == (200.0, 60.0)

    await store.hand_back(worker, failed=False)
    idle = await store.queue()
    assert (idle.claimable, idle.claimed, idle.backlog_seconds, idle.in_flight_seconds) == (3, 0, 260.0, 0.0)
    await store.cancel(opener.job.id)
    empty = await store.queue()
    assert empty == replace(empty, queued=0, running=0, backlog_seconds=0.0, claimable=0, claimed=0)


async def test_a_short_job_in_a_workers_hands_is_in_flight_and_then_backlog(store: Store) -> None:
    claim = await opening(store, 60.0)
    await store.checkpoint(claim, [done(0)], LONG)
    busy = await store.queue()
    assert (busy.backlog_seconds, busy.in_flight_seconds, busy.claimed) == (0.0, 40.0, 1)
    await store.hand_back(claim, failed=False)
    idle = await store.queue()
    assert (idle.backlog_seconds, idle.in_flight_seconds, idle.claimable, idle.unopened) == (40.0, 0.0, 1, 0)
