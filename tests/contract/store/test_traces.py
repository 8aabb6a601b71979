"""What every store promises of traces: a job says at every step which request made it."""

from contract.store.steps import LONG, claimed, new, part, split
from whisper_transcriber.domain.job import Failure
from whisper_transcriber.store.port import Store

MADE_BY = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_job_knows_the_request_that_made_it(store: Store) -> None:
    job, _ = await store.create(new(traceparent=MADE_BY))
    assert job.traceparent == MADE_BY
    claim = await claimed(store)
    assert claim.job.traceparent == MADE_BY
    failed = await store.fail(claim, Failure("invalid_audio", "No audio."))
    assert failed.traceparent == MADE_BY
    again = await store.retry(job.id)
    assert again is not None and again.traceparent == MADE_BY


async def test_without_one_it_knows_none(store: Store) -> None:
    job, _ = await store.create(new())
    assert job.traceparent is None
    assert (await claimed(store)).job.traceparent is None


async def test_whoever_asks_for_the_same_later_leaves_the_first_request_its_job(store: Store) -> None:
    first, _ = await store.join(new(key="same", synchronous=True, traceparent=MADE_BY))
    second, made = await store.join(new(key="same", synchronous=True, traceparent=MADE_BY[:-1] + "0"))
    assert (second.id, made, second.traceparent) == (first.id, False, MADE_BY)


async def test_a_part_is_of_the_same_request(store: Store) -> None:
    job = await split(store, 2, traceparent=MADE_BY)
    claim = await claimed(store)
    assert (claim.job.id, claim.part, claim.job.traceparent) == (job, part(0), MADE_BY)
    assert await store.finish_part(claim, LONG) is None
