"""What every store promises of webhooks: none is lost, each is tried by one at a time, and what came of it is known."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contract.store.steps import LONG, SHORT, claimed, new, part
from services.servers import until
from whisper_transcriber.domain.deliveries import LOGGED, Attempt, Delivery, about
from whisper_transcriber.domain.job import Failure, Job, NewJob
from whisper_transcriber.domain.webhooks import EVENTS, Event, Signing, Webhook
from whisper_transcriber.store.hooks import ENDPOINTS, LISTED, Outbox
from whisper_transcriber.store.port import Store
from whisper_transcriber.store.sqlite import SqliteStore

HOOK = Webhook("http://receiver.example:8080/path?token=1")
FINE = Attempt(datetime(2026, 1, 2, tzinfo=UTC), 0.25, 204)
BROKEN = replace(FINE, status_code=500)


def hooked(hook: Webhook = HOOK, **of: object) -> NewJob:
    return replace(new(), webhook=hook, **of)  # type: ignore[arg-type]


async def cancelled(store: Store, hook: Webhook = HOOK, **of: object) -> Job:
    job, _ = await store.create(hooked(hook, **of))
    await store.cancel(job.id)
    return job


async def taken(store: Store, lease: float = LONG) -> Delivery:
    found = await store.hooks.claim(lease)
    assert found is not None
    return found


async def succeeded(store: Store) -> Job:
    return await store.succeed(await claimed(store), "de", 7.5)


async def failed(store: Store) -> Job:
    return await store.fail(await claimed(store), Failure("invalid_audio", "There is no audio."))


async def test_a_job_keeps_its_webhook(store: Store) -> None:
    made, _ = await store.create(hooked(replace(HOOK, events=(EVENTS[1],), transcript=True)))
    assert made.webhook == replace(HOOK, events=(EVENTS[1],), transcript=True)
    assert await store.get(made.id) == made
    assert await store.hooks.of(made.id) == []


@pytest.mark.parametrize("end", [succeeded, failed])
async def test_the_end_of_a_job_is_announced_as_it_was(store: Store, end: object) -> None:
    await store.create(hooked(metadata={"course": "Größe"}))
    ended = await end(store)  # type: ignore[operator]
    delivery = await taken(store)
    assert delivery.data == about(ended)
    assert delivery.type == {"succeeded": EVENTS[0], "failed": EVENTS[1]}[ended.status]
    assert (delivery.job, delivery.tenant, delivery.url, delivery.attempts) == (ended.id, "default", HOOK.url, 1)
    assert delivery.host == "receiver.example:8080"


async def test_a_cancelled_job_is_announced_once(store: Store) -> None:
    job = await cancelled(store)
    await store.cancel(job.id)
    (delivery,) = await store.hooks.of(job.id)
    assert (delivery.type, delivery.data["status"], delivery.data["error"]) == (EVENTS[2], "cancelled", None)


async def test_a_long_job_whose_part_fails_is_announced(store: Store) -> None:
    job, _ = await store.create(hooked())
    claim = await claimed(store)
    for number in range(2):
        await store.add_part(claim, part(number), LONG)
    await store.opened(claim, 200.0, LONG)
    ended = await store.fail(await claimed(store), Failure("internal_error", "No."))
    (delivery,) = await store.hooks.of(job.id)
    assert delivery.data == about(ended)
    assert delivery.data["error"] == {"code": "internal_error", "message": "No."}


async def test_a_result_that_is_taken_over_is_announced_too(store: Store) -> None:
    before, _ = await store.create(new())
    ended = await succeeded(store)
    job, _ = await store.create(hooked(reused_from=before.id))
    (delivery,) = await store.hooks.of(job.id)
    assert delivery.type == EVENTS[0]
    assert (delivery.data["id"], delivery.data["audio_seconds"]) == (str(job.id), ended.audio_seconds)


@pytest.mark.parametrize("events", [(EVENTS[0],), (EVENTS[1], EVENTS[0])])
async def test_only_what_was_asked_for_is_announced(store: Store, events: tuple[Event, ...]) -> None:
    job = await cancelled(store, replace(HOOK, events=events))
    assert await store.hooks.of(job.id) == []
    assert await store.hooks.claim(LONG) is None


async def test_a_job_that_is_retried_is_announced_at_each_end(store: Store) -> None:
    job = await cancelled(store)
    await store.retry(job.id)
    await succeeded(store)
    assert [each.type for each in await store.hooks.of(job.id)] == [EVENTS[0], EVENTS[2]]


async def test_each_delivery_is_tried_by_one_at_a_time(store: Store) -> None:
    jobs = {(await cancelled(store)).id for _ in range(5)}
    found = await asyncio.gather(*(store.hooks.claim(LONG) for _ in range(9)))
    assert {each.job for each in found if each} == jobs
    assert sum(each is not None for each in found) == 5


async def test_what_is_not_recorded_in_time_is_due_again(store: Store) -> None:
    job = await cancelled(store)
    first = await taken(store, SHORT)
    found: list[Delivery] = []

    async def lapsed() -> bool:
        if again := await store.hooks.claim(LONG):
            found.append(again)
        return bool(found)

    await until(lapsed, "the lease to run out")
    assert (found[0].id, found[0].attempts, found[0].event_id) == (first.id, 2, first.event_id)
    assert not await store.hooks.record(first, FINE, None)
    assert (await store.hooks.of(job.id))[0].status == "pending"
    assert await store.hooks.record(found[0], FINE, None)


async def test_what_came_of_it_is_logged(store: Store) -> None:
    job = await cancelled(store)
    first = await taken(store)
    assert await store.hooks.record(first, replace(BROKEN, status_code=None, error="nobody there"), 0.0)
    assert await store.hooks.record(await taken(store), FINE, None)
    (delivery,) = await store.hooks.of(job.id)
    assert delivery.log == (replace(BROKEN, status_code=None, error="nobody there"), FINE)
    assert (delivery.status, delivery.next_at, delivery.lease_until, delivery.attempts) == ("delivered", None, None, 2)
    assert await store.hooks.claim(LONG) is None
    assert not await store.hooks.record(first, FINE, None)


async def test_a_later_try_waits(store: Store) -> None:
    job = await cancelled(store)
    await store.hooks.record(await taken(store), BROKEN, 600.0)
    assert await store.hooks.claim(LONG) is None
    (delivery,) = await store.hooks.of(job.id)
    assert delivery.next_at is not None
    assert 500 < (delivery.next_at - datetime.now(UTC)).total_seconds() < 601
    assert (await store.hooks.outbox()).pending == 1
    assert (await store.hooks.outbox()).due == 0


async def test_a_delivery_that_was_given_up_can_be_asked_for_again(store: Store) -> None:
    job = await cancelled(store)
    first = await taken(store)
    await store.hooks.record(first, BROKEN, None)
    assert (await store.hooks.of(job.id))[0].status == "failed"
    again = await store.hooks.redeliver(job.id, first.id)
    assert again is not None
    assert (again.status, again.attempts, again.log) == ("pending", 0, (BROKEN,))
    second = await taken(store)
    assert (second.id, second.attempts) == (first.id, 1)
    assert await store.hooks.redeliver(uuid4(), first.id) is None
    assert await store.hooks.redeliver(job.id, uuid4()) is None
    # Whoever has it in hand when it is asked for again has lost it.
    assert await store.hooks.redeliver(job.id, first.id) is not None
    assert not await store.hooks.record(second, FINE, None)
    assert (await taken(store)).id == first.id


async def test_logs_and_lists_are_bounded(store: Store) -> None:
    job = await cancelled(store)
    for number in range(LOGGED + 3):
        await store.hooks.record(await taken(store), replace(BROKEN, seconds=float(number)), 0.0)
    log = (await store.hooks.of(job.id))[0].log
    assert [each.seconds for each in log] == [float(number) for number in range(3, LOGGED + 3)]
    for _ in range(LISTED):
        await store.retry(job.id)
        await store.cancel(job.id)
    assert len(await store.hooks.of(job.id)) == LISTED


async def test_one_silent_receiver_does_not_hold_up_the_others(store: Store) -> None:
    slow = [(await cancelled(store, Webhook("https://slow.example/"))).id for _ in range(4)]
    fine = (await cancelled(store, Webhook("https://fine.example/"))).id
    other = (await cancelled(store, Webhook("https://slow.example/"), tenant="b")).id
    assert [(await taken(store)).job for _ in range(4)] == [slow[0], other, fine, slow[1]]


async def test_deliveries_go_with_their_job(store: Store) -> None:
    job = await cancelled(store)
    delivery = await taken(store)
    await store.delete(job.id)
    assert await store.hooks.of(job.id) == []
    assert not await store.hooks.record(delivery, FINE, None)
    assert (await store.hooks.outbox()).pending == 0


async def test_a_tenants_endpoints_are_told_of_all_its_jobs(store: Store) -> None:
    ours = await store.hooks.add(uuid4(), "a", HOOK)
    theirs = await store.hooks.add(uuid4(), "b", HOOK)
    picky = await store.hooks.add(uuid4(), "a", replace(HOOK, events=(EVENTS[0],), transcript=True))
    assert ours is not None and theirs is not None and picky is not None
    assert await store.hooks.endpoints("a") == [ours, picky]
    job, _ = await store.create(new(tenant="a"))
    await store.cancel(job.id)
    assert [each.endpoint for each in await store.hooks.of(job.id)] == [ours.id]
    own = await cancelled(store, tenant="a")
    assert {each.endpoint for each in await store.hooks.of(own.id)} == {None, ours.id}
    done, _ = await store.create(new(tenant="a"))
    ended = await succeeded(store)
    assert ended.id == done.id
    told = {each.endpoint: each for each in await store.hooks.of(done.id)}
    assert told.keys() == {ours.id, picky.id}
    assert told[picky.id].transcript and not told[ours.id].transcript
    assert told[ours.id].data == about(ended)
    taken_over, _ = await store.create(replace(new(tenant="a"), reused_from=done.id))
    assert {each.endpoint for each in await store.hooks.of(taken_over.id)} == {ours.id, picky.id}


async def test_jobs_that_a_request_waits_for_are_told_to_nobody(store: Store) -> None:
    await store.hooks.add(uuid4(), "default", HOOK)
    job, _ = await store.join(replace(new(key="same"), synchronous=True))
    await succeeded(store)
    assert await store.hooks.of(job.id) == []


async def test_an_endpoint_can_be_changed_disabled_and_removed(store: Store) -> None:
    made = await store.hooks.add(uuid4(), "a", HOOK)
    assert made is not None
    other = Webhook("https://other.example/", (EVENTS[2],))
    off = await store.hooks.change("a", made.id, other, enabled=False)
    assert off is not None and off.disabled_at is not None
    assert (off.webhook, await store.hooks.endpoints("a")) == (other, [off])
    job, _ = await store.create(new(tenant="a"))
    await store.cancel(job.id)
    assert await store.hooks.of(job.id) == []
    assert await store.hooks.change("a", made.id, other, enabled=True) == replace(off, disabled_at=None)
    await store.retry(job.id)
    await store.cancel(job.id)
    (delivery,) = await store.hooks.of(job.id)
    assert delivery.url == other.url
    for tenant, id_ in (("b", made.id), ("a", uuid4())):
        assert await store.hooks.change(tenant, id_, other, enabled=True) is None
        assert not await store.hooks.remove(tenant, id_)
    assert await store.hooks.remove("a", made.id)
    assert await store.hooks.endpoints("a") == []
    assert await store.hooks.of(job.id) == []


async def test_an_endpoint_that_is_gone_is_disabled(store: Store) -> None:
    made = await store.hooks.add(uuid4(), "default", HOOK)
    assert made is not None
    job, _ = await store.create(new())
    await store.cancel(job.id)
    delivery = await taken(store)
    assert delivery.endpoint == made.id
    assert await store.hooks.record(delivery, replace(FINE, status_code=410), None)
    (found,) = await store.hooks.endpoints("default")
    assert found.disabled_at is not None
    own = await cancelled(store)
    assert [each.endpoint for each in await store.hooks.of(own.id)] == [None]
    assert await store.hooks.record(await taken(store), replace(FINE, status_code=410), None)


async def test_a_tenant_has_so_many_endpoints_and_no_more(store: Store) -> None:
    made = await asyncio.gather(*(store.hooks.add(uuid4(), "a", HOOK) for _ in range(ENDPOINTS + 5)))
    assert sum(each is not None for each in made) == ENDPOINTS
    assert await store.hooks.add(uuid4(), "b", HOOK) is not None
    for each in (await store.hooks.endpoints("a"))[:2]:
        assert await store.hooks.remove("a", each.id)
        assert not await store.hooks.remove("a", each.id)
    again = await asyncio.gather(*(store.hooks.add(uuid4(), "a", HOOK) for _ in range(5)))
    assert sum(each is not None for each in again) == 2


async def test_the_outbox_says_how_much_waits(store: Store) -> None:
    assert await store.hooks.outbox() == Outbox()
    for _ in range(3):
        await cancelled(store)
    await taken(store)
    found = await store.hooks.outbox()
    assert (found.pending, found.due) == (3, 3)
    assert 0 <= found.oldest_seconds < 60


async def test_a_secret_is_replaced_and_the_one_before_lives_on(store: Store) -> None:
    assert await store.keys.signing("a") == Signing()
    await store.keys.keep("a", 60)
    first = await store.keys.rotate("a", 3600)
    assert first.generation == 1
    assert first.live(datetime.now(UTC)) == (1, 0)
    assert await store.keys.signing("a") == first
    second = await store.keys.rotate("a", 0)
    assert second.live(datetime.now(UTC)) == (2,)
    assert await store.keys.retention("a") == 60
    assert (await store.keys.rotate("b", 0)).generation == 1
    assert (await store.keys.signing("a")).generation == 2


async def test_deliveries_of_one_machine_outlive_its_process(tmp_path: Path) -> None:
    folder = tmp_path / "jobs.sqlite"
    first = SqliteStore(folder)
    await first.migrate()
    held, waiting = await cancelled(first), await cancelled(first)
    await first.hooks.record(await taken(first), BROKEN, 0.0)
    gone: UUID = (await cancelled(first)).id
    await first.delete(gone)
    await first.keys.rotate("a", 60)
    endpoint = await first.hooks.add(uuid4(), "a", HOOK)
    in_hand = await taken(first)
    await first.close()
    second = SqliteStore(folder)
    await second.migrate()
    assert await second.hooks.of(gone) == []
    assert (await second.hooks.outbox()).due == 2
    assert (await second.keys.signing("a")).generation == 1
    assert await second.hooks.endpoints("a") == [endpoint]
    assert in_hand.job == waiting.id
    assert (await second.hooks.of(held.id))[0].log == (BROKEN,)
    await second.close()
