"""What every store promises of results that are written somewhere: none is lost, and none is written before it is."""

from dataclasses import replace

import pytest

from contract.store.steps import LONG, claimed, new
from whisper_transcriber.domain.job import Failure, NewJob
from whisper_transcriber.domain.outputs import Output
from whisper_transcriber.domain.webhooks import EVENTS, Webhook
from whisper_transcriber.store.port import Store

OUTPUT = Output("s3://texts/2026/clip", ("srt", "json"))


def written(**of: object) -> NewJob:
    return replace(new(), output=OUTPUT, **of)  # type: ignore[arg-type]


async def test_a_job_keeps_its_output_whatever_becomes_of_it(store: Store) -> None:
    made, _ = await store.create(written())
    assert made.output == OUTPUT
    assert await store.get(made.id) == made
    await store.cancel(made.id)
    again = await store.retry(made.id)
    assert again is not None and again.output == OUTPUT
    assert (await claimed(store)).job.output == OUTPUT


async def test_a_result_is_to_be_written_from_the_moment_it_is_there(store: Store) -> None:
    job, _ = await store.create(written())
    assert await store.hooks.of(job.id) == []
    await store.succeed(await claimed(store), "de", 7.5)
    delivery = await store.hooks.claim(LONG)
    assert delivery is not None and delivery.written
    assert (delivery.job, delivery.url, delivery.host, delivery.type) == (job.id, OUTPUT.url, "texts", EVENTS[0])


async def test_one_that_is_taken_over_is_written_too(store: Store) -> None:
    before, _ = await store.create(new())
    await store.succeed(await claimed(store), "de", 7.5)
    job, _ = await store.create(written(reused_from=before.id))
    assert [each.url for each in await store.hooks.of(job.id)] == [OUTPUT.url]
    assert await store.hooks.of(before.id) == []


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_there_is_nothing_to_write_of_a_job_that_did_not_succeed(store: Store, end: str) -> None:
    job, _ = await store.create(written())
    if end == "failed":
        await store.fail(await claimed(store), Failure("invalid_audio", "There is no audio."))
    else:
        await store.cancel(job.id)
    assert await store.hooks.of(job.id) == []


async def test_a_webhook_and_an_output_are_two_deliveries(store: Store) -> None:
    hook = Webhook("https://receiver.example/")
    job, _ = await store.create(written(webhook=hook))
    await store.succeed(await claimed(store), "de", 7.5)
    assert {each.url: each.written for each in await store.hooks.of(job.id)} == {hook.url: False, OUTPUT.url: True}
