"""Deliveries to a real receiver: signed as it verifies, tried again as it asks, and never where they must not go."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from pydantic import SecretStr
from standardwebhooks import Webhook as Verifier

from services.receiver import OK, SILENT, Received, receiver, status
from services.servers import free_port, until
from unit.transcriber_service.calls import succeed
from unit.transcriber_service.conftest import ROOT
from whisper_transcriber.api.told import EventBody
from whisper_transcriber.bell.port import HOOKS
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.secrets import secrets
from whisper_transcriber.domain.deliveries import Delivery
from whisper_transcriber.domain.job import DEFAULT_TENANT, Job, JobRequest, NewJob
from whisper_transcriber.domain.webhooks import EVENTS, Webhook
from whisper_transcriber.logs import JsonFormatter
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.worker.deliver import delivering


@pytest.fixture
def hooked(deps: Deps) -> Deps:
    """The service, with webhooks, that may reach loopback and is quick to try again."""
    more = {"fetch_allow_private": True, "webhook_schedule": (0.01, 0.02, 0.03)}
    settings = type(deps.settings)(**{**deps.settings.model_dump(), **more, "webhook_timeout_seconds": 5})
    return replace(deps, settings=settings)


@asynccontextmanager
async def deliverer(deps: Deps) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(delivering(deps, stop))
    yield
    stop.set()
    await asyncio.wait_for(task, 30)


async def secret(deps: Deps, tenant: str = DEFAULT_TENANT) -> str:
    return secrets(deps.settings, tenant, await deps.store.keys.signing(tenant), datetime.now(UTC))[0]


async def ended(deps: Deps, url: str, **of: object) -> Job:
    """A job that was cancelled, and wants that to be told."""
    new = NewJob(uuid4(), JobRequest("base", sha256="00"), webhook=Webhook(url), **of)  # type: ignore[arg-type]
    job, _ = await deps.store.create(new)
    await deps.store.cancel(job.id)
    await deps.bell.ring(HOOKS)
    return job


async def over(deps: Deps, job: UUID) -> Delivery:
    """The delivery of a job, once it is over."""

    async def is_over() -> bool:
        return all(each.status != "pending" for each in await deps.store.hooks.of(job))

    await until(is_over, "the delivery to be over")
    (found,) = await deps.store.hooks.of(job)
    return found


def codes(delivery: Delivery) -> list[int | None]:
    return [each.status_code for each in delivery.log]


async def test_what_is_received_verifies_and_says_what_happened(hooked: Deps) -> None:
    async with receiver() as there, deliverer(hooked):
        job = await ended(hooked, there.url, metadata={"course": "Größe"})
        delivery = await over(hooked, job.id)
    (got,) = there.requests
    assert got.line == "POST /hook?token=of-the-receiver HTTP/1.1"
    event = Verifier(await secret(hooked)).verify(got.body, got.headers)
    assert (event["id"], event["type"], event["object"]) == (got.headers["webhook-id"], EVENTS[2], "event")
    assert event["id"] == delivery.event_id
    assert event["data"]["id"] == str(job.id)
    assert (event["data"]["status"], event["data"]["metadata"]) == ("cancelled", {"course": "Größe"})
    assert "transcript" not in event["data"]
    EventBody.model_validate_json(got.body, strict=True)
    assert (delivery.status, codes(delivery)) == ("delivered", [204])


async def test_openais_client_unwraps_it_and_refuses_what_was_changed(hooked: Deps) -> None:
    async with receiver() as there, deliverer(hooked):
        await ended(hooked, there.url)
        (got,) = await there.got(1)
    with OpenAI(api_key="none", webhook_secret=await secret(hooked)) as client:
        event = client.webhooks.unwrap(got.body, got.headers)
        assert (str(event.type), event.id) == (EVENTS[2], got.headers["webhook-id"])
        for body, headers in ((got.body + b" ", got.headers), (got.body, {**got.headers, "webhook-id": "evt_1"})):
            with pytest.raises(InvalidWebhookSignatureError):
                client.webhooks.unwrap(body, headers)


async def test_it_is_tried_until_it_is_taken_with_the_same_id_and_body(hooked: Deps) -> None:
    answers = (status(500), b"nonsense\r\n\r\n", status(302, "Location: /elsewhere"), OK)
    async with receiver(*answers) as there, deliverer(hooked):
        job = await ended(hooked, there.url)
        delivery = await over(hooked, job.id)
    assert (delivery.status, codes(delivery)) == ("delivered", [500, None, 302, 204])
    assert "did not answer" in str(delivery.log[1].error)
    assert {each.line for each in there.requests} == {"POST /hook?token=of-the-receiver HTTP/1.1"}
    assert len({(each.headers["webhook-id"], each.body) for each in there.requests}) == 1
    verifier = Verifier(await secret(hooked))
    for each in there.requests:
        verifier.verify(each.body, each.headers)


async def test_it_is_given_up_at_the_end_of_the_schedule(hooked: Deps) -> None:
    async with receiver(status(503)) as there, deliverer(hooked):
        job = await ended(hooked, there.url)
        delivery = await over(hooked, job.id)
        assert (delivery.status, codes(delivery)) == ("failed", [503] * 4)
        there.answers = (OK,)
        await hooked.store.hooks.redeliver(job.id, delivery.id)
        await hooked.bell.ring(HOOKS)
        assert codes(await over(hooked, job.id)) == [503] * 4 + [204]
    assert len({each.headers["webhook-id"] for each in there.requests}) == 1


async def test_a_receiver_that_is_gone_is_left_alone(hooked: Deps) -> None:
    async with receiver(status(410)) as there, deliverer(hooked):
        delivery = await over(hooked, (await ended(hooked, there.url)).id)
    assert (delivery.status, codes(delivery), len(there.requests)) == ("failed", [410], 1)


async def test_a_receiver_may_say_when_to_come_back(hooked: Deps) -> None:
    async with receiver(status(429, "Retry-After: 900")) as there, deliverer(hooked):
        job = await ended(hooked, there.url)
        await there.got(1)

        async def logged() -> bool:
            return len((await hooked.store.hooks.of(job.id))[0].log) == 1

        await until(logged, "the try to be logged")
        (delivery,) = await hooked.store.hooks.of(job.id)
        assert delivery.next_at is not None
        assert 800 < (delivery.next_at - datetime.now(UTC)).total_seconds() <= 900


async def test_a_slow_receiver_is_left_and_holds_nobody_up(hooked: Deps) -> None:
    quick = hooked.settings.model_copy(update={"webhook_timeout_seconds": 0.5, "webhook_deliveries": 2})
    deps = replace(hooked, settings=quick)
    async with receiver(SILENT) as slow, receiver() as fine, deliverer(deps):
        late = [await ended(deps, slow.url) for _ in range(3)]
        assert codes(await over(deps, (await ended(deps, fine.url)).id)) == [204]
        for job in late:
            delivery = await over(deps, job.id)
            assert delivery.status == "failed"
            assert {each.error for each in delivery.log} == {"the server took too long"}
            assert all(each.seconds < 3 for each in delivery.log)


async def test_an_endless_answer_is_cut_off(hooked: Deps) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(10_000)
    async with receiver(endless) as there, deliverer(hooked):
        assert codes(await over(hooked, (await ended(hooked, there.url)).id)) == [200]


async def test_nobody_there_is_tried_again(hooked: Deps) -> None:
    port = free_port()
    async with deliverer(hooked):
        job = await ended(hooked, f"http://127.0.0.1:{port}/")

        async def tried() -> bool:
            return bool((await hooked.store.hooks.of(job.id))[0].log)

        await until(tried, "the first try")
        async with receiver(port=port) as there:
            await there.got(1)
            assert codes(await over(hooked, job.id))[-1] == 204


async def test_a_private_address_is_never_connected_to(hooked: Deps) -> None:
    closed = replace(hooked, settings=hooked.settings.model_copy(update={"fetch_allow_private": False}))
    async with receiver() as there, deliverer(closed):
        delivery = await over(closed, (await ended(closed, f"http://localhost:{there.port}/")).id)
    assert delivery.status == "failed"
    assert {each.status_code for each in delivery.log} == {None}
    assert "not a public address" in str(delivery.log[0].error)
    assert there.requests == []


async def test_both_secrets_sign_while_one_replaces_the_other(hooked: Deps) -> None:
    before = await secret(hooked)
    await hooked.store.keys.rotate(DEFAULT_TENANT, 3600)
    after = await secret(hooked)
    assert after != before
    async with receiver() as there, deliverer(hooked):
        await ended(hooked, there.url)
        (first,) = list(await there.got(1))
        await hooked.store.keys.rotate(DEFAULT_TENANT, 0)
        await ended(hooked, there.url)
        second = (await there.got(2))[1]
    for known in (before, after):
        Verifier(known).verify(first.body, first.headers)
    assert len(first.headers["webhook-signature"].split()) == 2
    assert verifies(second, await secret(hooked))
    assert not verifies(second, before)
    assert not verifies(second, after)


async def test_the_services_own_secret_can_be_replaced_in_the_same_way(hooked: Deps) -> None:
    before = await secret(hooked)
    both = replace(hooked, settings=hooked.settings.model_copy(update={"webhook_secret": SecretStr(f"new {ROOT}")}))
    async with receiver() as there, deliverer(both):
        await ended(both, there.url)
        (got,) = await there.got(1)
    assert verifies(got, before)
    assert verifies(got, await secret(both))
    assert before != await secret(both)


async def test_tenants_have_secrets_of_their_own(hooked: Deps) -> None:
    async with receiver() as there, deliverer(hooked):
        await ended(hooked, there.url, tenant="a")
        (got,) = await there.got(1)
    assert verifies(got, await secret(hooked, "a"))
    assert not verifies(got, await secret(hooked, "b"))
    assert not verifies(got, await secret(hooked))


async def test_the_transcript_goes_with_it_only_if_it_was_asked_for(hooked: Deps) -> None:
    async with receiver() as there, deliverer(hooked):
        for transcript in (False, True):
            hook = Webhook(there.url, (EVENTS[0],), transcript)
            await hooked.store.create(NewJob(uuid4(), JobRequest("base", sha256="00"), webhook=hook))
            await succeed(hooked)
            await hooked.bell.ring(HOOKS)
        for each in await there.got(2):
            EventBody.model_validate_json(each.body, strict=True)
        data = [json.loads(each.body)["data"] for each in there.requests]
    assert sorted("transcript" in each for each in data) == [False, True]
    assert [each["transcript"] for each in data if "transcript" in each] == ["Hello."]
    assert all(each["result"].endswith(f"/v1/jobs/{each['id']}/result") for each in data)


async def test_a_transcript_that_cannot_be_read_is_waited_for(hooked: Deps) -> None:
    settings = hooked.settings.model_copy(update={"webhook_timeout_seconds": 0.5})
    nowhere = S3Objects(Bucket("audio", "us-east-1", f"http://127.0.0.1:{free_port()}", "key", "secret"))
    async with receiver() as there:
        hook = Webhook(there.url, (EVENTS[0],), True)
        job, _ = await hooked.store.create(NewJob(uuid4(), JobRequest("base", sha256="00"), webhook=hook))
        await succeed(hooked)
        async with deliverer(replace(hooked, settings=settings, objects=nowhere)):
            delivery = await over(hooked, job.id)
        assert {each.error for each in delivery.log} == {"the transcript that was asked for could not be read"}
        assert there.requests == []
        await hooked.store.hooks.redeliver(job.id, delivery.id)
        async with deliverer(hooked):
            assert codes(await over(hooked, job.id))[-1] == 204
    assert json.loads(there.requests[0].body)["data"]["transcript"] == "Hello."


async def test_neither_secrets_nor_urls_are_logged(hooked: Deps, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiver(status(500), OK) as there, deliverer(hooked):
        await over(hooked, (await ended(hooked, there.url)).id)
    lines = [JsonFormatter().format(each) for each in caplog.records if each.name.startswith("whisper")]
    said = "\n".join(lines)
    assert "Tried a webhook" in said
    for hidden in (ROOT, await secret(hooked), "of-the-receiver", there.requests[0].headers["webhook-signature"]):
        assert hidden not in said
    outcomes = {name: hooked.metrics.webhooks.labels(name)._value.get() for name in ("delivered", "postponed")}
    assert outcomes == {"delivered": 1, "postponed": 1}


async def test_what_is_being_sent_at_the_end_is_sent_to_its_end(hooked: Deps) -> None:
    stop = asyncio.Event()
    async with receiver(answered := asyncio.Event()) as there:
        job = await ended(hooked, there.url)
        task = asyncio.create_task(delivering(hooked, stop))
        await there.got(1)
        stop.set()
        late = await ended(hooked, there.url)
        answered.set()
        await asyncio.wait_for(task, 30)
    assert codes(await over(hooked, job.id)) == [204]
    assert [each.status for each in await hooked.store.hooks.of(late.id)] == ["pending"]


async def test_without_a_secret_nothing_is_sent(hooked: Deps) -> None:
    deps = replace(hooked, settings=hooked.settings.model_copy(update={"webhook_secret": SecretStr("")}))
    job = await ended(deps, f"http://127.0.0.1:{free_port()}/")
    await asyncio.wait_for(delivering(deps, asyncio.Event()), 5)
    assert (await deps.store.hooks.of(job.id))[0].log == ()


def verifies(got: Received, known: str) -> bool:
    with OpenAI(api_key="none") as client:
        try:
            client.webhooks.verify_signature(got.body, got.headers, secret=known)
        except InvalidWebhookSignatureError:
            return False
    return True
