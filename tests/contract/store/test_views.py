"""What every store shows of its jobs: lists by filter, results to reuse, what waits before one; and jobs done anew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contract.store.steps import LONG, REQUEST, claimed, done, new, split
from whisper_transcriber.domain.job import Failure, Job, NewJob
from whisper_transcriber.store.port import Facts, Filters, StaleClaim, Store


async def succeeded(store: Store, digest: str = "sha256:1", seconds: float = 40.0, **of: object) -> Job:
    """A new job, transcribed."""
    job, _ = await store.create(new(**of))  # type: ignore[arg-type]
    claim = await claimed(store)
    assert claim.job.id == job.id
    await store.learn(claim, Facts(model_digest=digest, engine="ctranslate2", audio_seconds=seconds))
    await store.checkpoint(claim, [done(0)], LONG)
    return await store.succeed(claim, "de", seconds)


async def test_a_list_holds_what_its_filters_ask_for(store: Store) -> None:
    one, _ = await store.create(replace(new(), metadata={"team": "a", "kind": "call"}))
    two, _ = await store.create(replace(new(replace(REQUEST, model="small")), metadata={"team": "a"}))
    await store.create(new(tenant="other"))
    await store.cancel(two.id)
    for filters, wanted in (
        (Filters(), [two, one]),
        (Filters(status="cancelled"), [two]),
        (Filters(model="base"), [one]),
        (Filters(metadata={"team": "a"}), [two, one]),
        (Filters(metadata={"team": "a", "kind": "call"}), [one]),
        (Filters(metadata={"team": "b"}), []),
        (Filters(created_after=two.created_at), [two]),
        (Filters(created_before=two.created_at), [one]),
        (Filters(created_after=datetime.now(UTC) + timedelta(days=1)), []),
    ):
        assert [job.id for job in await store.list(9, filters=filters)] == [job.id for job in wanted], filters


async def test_a_page_never_goes_on_from_another_tenants_job(store: Store) -> None:
    await store.create(new())
    other, _ = await store.create(new(tenant="other"))
    assert await store.list(9, after=other.id) == []
    assert [job.tenant for job in await store.list(9, filters=Filters("other"))] == ["other"]


async def test_metadata_reads_back_and_can_be_changed(store: Store) -> None:
    job, _ = await store.create(replace(new(), metadata={"name": "Ähre"}))
    assert job.metadata == {"name": "Ähre"}
    changed = await store.change(job.id, priority=7)
    assert changed is not None
    assert (changed.request.priority, changed.metadata) == (7, {"name": "Ähre"})
    changed = await store.change(job.id, metadata={})
    assert changed is not None
    assert (changed.request.priority, changed.metadata) == (7, {})
    assert await store.change(uuid4(), priority=7) is None


async def test_a_changed_priority_goes_first(store: Store) -> None:
    await store.create(new())
    late, _ = await store.create(new())
    await store.change(late.id, priority=1)
    assert (await claimed(store)).job.id == late.id


async def test_a_result_is_reusable_for_the_same_request_of_the_same_tenant(store: Store) -> None:
    first = await succeeded(store)
    assert await store.reusable("default", REQUEST.fingerprint) == first
    assert await store.reusable("other", REQUEST.fingerprint) is None
    assert await store.reusable("default", replace(REQUEST, sha256="11").fingerprint) is None


async def test_a_result_of_other_weights_is_not_reusable(store: Store) -> None:
    first = await succeeded(store)
    await succeeded(store, "sha256:2", request=replace(REQUEST, sha256="11"))
    assert await store.reusable("default", REQUEST.fingerprint) is None
    again = await succeeded(store, "sha256:2")
    assert await store.reusable("default", REQUEST.fingerprint) == again
    assert first.id != again.id


async def test_a_reused_job_is_done_at_once_and_never_claimed(store: Store) -> None:
    first = await succeeded(store)
    job, created = await store.create(replace(new(), reused_from=first.id))
    assert created
    assert (job.status, job.progress, job.reused_from) == ("succeeded", 100, first.id)
    assert (job.language, job.audio_seconds, job.model_digest) == ("de", 40.0, "sha256:1")
    assert job.real_time_factor is None
    assert await store.claim("worker", LONG) is None


async def test_a_job_whose_forerunner_is_gone_is_like_any_other(store: Store) -> None:
    first = await succeeded(store)
    await store.delete(first.id)
    job, _ = await store.create(replace(new(), reused_from=first.id))
    assert (job.status, job.reused_from) == ("queued", None)
    assert (await claimed(store)).job.id == job.id


async def test_only_what_failed_or_was_cancelled_is_done_again(store: Store) -> None:
    job = await split(store, 2)
    claim = await claimed(store)
    await store.fail(claim, Failure("internal_error", "No."))
    again = await store.retry(job)
    assert again is not None
    assert (again.status, again.failure, again.finished_at, again.parts) == ("queued", None, None, 0)
    assert again.processed_seconds == 0
    with pytest.raises(StaleClaim):
        await store.checkpoint(claim, [done(0)], LONG)
    anew = await claimed(store)
    assert (anew.job.id, anew.kind, anew.failures) == (job, "open", 0)
    assert await store.retry(job) == await store.get(job)
    ended = await store.succeed(anew, "de", 200.0)
    assert await store.retry(job) == ended
    assert await store.retry(uuid4()) is None
    other, _ = await store.create(new())
    await store.cancel(other.id)
    assert (await store.retry(other.id)).status == "queued"  # type: ignore[union-attr]


async def test_the_outlook_counts_who_goes_before(store: Store) -> None:
    first, _ = await store.create(new())
    second, _ = await store.create(new())
    urgent, _ = await store.create(new(replace(REQUEST, priority=5)))
    found = [await store.outlook(job.id) for job in (first, second, urgent)]
    assert [each.ahead for each in found if each] == [1, 2, 0]
    assert [each.rate for each in found if each] == [None, None, None]
    assert await store.outlook(uuid4()) is None


async def test_the_outlook_learns_from_what_was_done(store: Store) -> None:
    await succeeded(store, seconds=100.0)
    running, _ = await store.create(new())
    claim = await claimed(store)
    await store.learn(claim, Facts(audio_seconds=60.0))
    waiting, _ = await store.create(new())
    last, _ = await store.create(new())
    found = await store.outlook(last.id)
    assert found is not None
    assert (found.ahead, found.typical_seconds, found.ahead_seconds) == (1, 100.0, 160.0)
    assert found.rate is not None
    assert found.rate > 0
    assert (running.id, waiting.id) != (last.id, last.id)


def test_a_new_job_has_no_metadata_of_another() -> None:
    assert NewJob(uuid4(), REQUEST).metadata == {}
