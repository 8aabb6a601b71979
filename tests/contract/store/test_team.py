"""Who is busy, and how fast workers are."""

from contract.store.steps import LONG, claimed, new, opening, part
from whisper_transcriber.domain.demand import Team
from whisper_transcriber.store.port import Store


async def test_nobody_is_busy_and_nobody_knows_how_fast_workers_are(store: Store) -> None:
    assert await store.team() == Team(None, {})


async def test_claims_of_jobs_and_parts_make_a_worker_busy_until_they_end(store: Store) -> None:
    opener = await opening(store)
    await store.add_part(opener, part(0), LONG)
    piece = await store.claim("second", LONG)
    assert piece is not None
    await store.create(new())
    short = await store.claim("second", LONG)
    assert short is not None
    assert (await store.team()).busy == {opener.worker: 1, "second": 2}
    await store.hand_back(short, failed=False)
    await store.hand_back(piece, failed=False)
    assert (await store.team()).busy == {opener.worker: 1}
    await store.cancel(opener.job.id)
    assert (await store.team()).busy == {}


async def test_a_claim_that_ran_out_makes_nobody_busy(store: Store) -> None:
    await store.create(new())
    assert await store.claim("gone", 0.0) is not None
    assert (await store.team()).busy == {}
    await claimed(store)
    assert len((await store.team()).busy) == 1


async def test_workers_count_by_the_audio_that_they_did_and_by_their_newest_word(store: Store) -> None:
    await store.pace("slow", 100.0, 100.0)
    await store.pace("fast", 10.0, 400.0)
    assert (await store.team()).real_time_factor is not None
    factor = (await store.team()).real_time_factor
    assert factor is not None and abs(factor - 110 / 500) < 1e-3
    await store.pace("slow", 10.0, 100.0)
    factor = (await store.team()).real_time_factor
    assert factor is not None and abs(factor - 20 / 500) < 1e-3
