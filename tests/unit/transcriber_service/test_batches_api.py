"""Batches by OpenAI's client: from a file of requests to files of answers, whatever becomes of single lines."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types import Batch

from services.servers import until
from unit.transcriber_service.batch_requests import ENDPOINT, WEB, led, line, made, text
from unit.transcriber_service.calls import claim, error, files, succeed
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.batches import PRIORITY
from whisper_transcriber.domain.job import Failure
from whisper_transcriber.worker.batches import lead_on, working_at_batches
from whisper_transcriber.worker.sweep import sweep


@asynccontextmanager
async def workers(deps: Deps, work: Callable[[], Awaitable[Any]] | None = None) -> AsyncIterator[None]:
    """Batches are led on, and something is done with each job: it succeeds, unless `work` does other things."""
    stop = asyncio.Event()

    async def working() -> None:
        while True:
            await (work() if work else succeed(deps))

    leading, doing = asyncio.create_task(working_at_batches(deps, stop)), asyncio.create_task(working())
    try:
        yield
    finally:
        stop.set()
        doing.cancel()
        await asyncio.gather(leading, doing, return_exceptions=True)


async def ended(client: openai.AsyncOpenAI, batch: Batch) -> Batch:
    found: list[Batch] = []

    async def over() -> bool:
        found.append(await client.batches.retrieve(batch.id))
        return found[-1].status in ("completed", "failed", "expired", "cancelled")

    await until(over, "the batch to end")
    return found[-1]


async def records(client: openai.AsyncOpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(each) for each in (await client.files.content(file)).text.splitlines()]


async def test_a_file_of_requests_becomes_a_file_of_answers(client: openai.AsyncOpenAI, deps: Deps) -> None:
    audio = await client.files.create(file=("clip.wav", b"sound"), purpose="user_data")
    content = text(
        line("json", url=WEB, language="en"),
        line("text", file=audio.id, response_format="text"),
        line("srt", source={"upload": {"id": audio.id}}, response_format="srt", temperature=0),
        "",
        line("s3", url="s3://lectures/a.mp3"),
        line("verbose", source={"http": {"url": WEB}}, response_format="verbose_json", prompt=None),
    )
    batch = await made(client, content.removesuffix(b"\n"))
    assert (batch.object, batch.status, batch.metadata) == ("batch", "validating", {"show": "news"})
    assert batch.expires_at == batch.created_at + 86400
    async with workers(deps):
        done = await ended(client, batch)
    assert (done.status, done.error_file_id, done.errors) == ("completed", None, None)
    assert done.request_counts is not None
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (5, 5, 0)
    assert done.in_progress_at and done.finalizing_at and done.completed_at
    found = await records(client, done.output_file_id)
    assert [each["custom_id"] for each in found] == ["json", "text", "srt", "s3", "verbose"]
    bodies = [each["response"]["body"] for each in found]
    assert bodies[0] == {"text": "Hello.", "usage": {"type": "duration", "seconds": 2}}
    assert bodies[1] == "Hello.\n"
    assert bodies[2].startswith("1\n00:00:00,500 -->")
    assert bodies[4]["segments"][0]["text"] == " Hello."
    assert all((each["response"]["status_code"], each["error"]) == (200, None) for each in found)
    jobs = {str(job.id): job for job in await deps.store.list(9)}
    assert set(jobs) == {each["response"]["request_id"] for each in found}
    for each in found:
        job = jobs[each["response"]["request_id"]]
        assert job.metadata == {"batch_id": batch.id, "custom_id": each["custom_id"]}
        assert job.request.priority == PRIORITY < 0
    output = await client.files.retrieve(done.output_file_id or "")
    assert (output.purpose, output.expires_at) == ("batch_output", None)


async def test_what_fails_is_told_line_by_line(client: openai.AsyncOpenAI, deps: Deps) -> None:
    audio = await client.files.create(file=("clip.wav", b"sound"), purpose="user_data")
    batch = await made(client, text(*(line(name, url=WEB) for name in "abcd"), line("gone", file=audio.id)))
    held = await deps.store.batches.claim(60)
    assert held is not None
    await lead_on(deps, held, asyncio.Event())  # checked, and jobs are about to be made
    await client.files.delete(audio.id)
    await led(deps)
    jobs = {job.metadata["custom_id"]: job for job in await deps.store.list(9)}
    assert set(jobs) == set("abcd")
    await deps.store.cancel(jobs["b"].id)
    await deps.store.delete(jobs["c"].id)

    async def work() -> None:
        claimed = await claim(deps)
        if claimed.job.id == jobs["a"].id:
            await deps.store.fail(claimed, Failure("fetch_failed", "There is nothing."))
        else:
            await deps.store.hand_back(claimed, failed=False)
            await succeed(deps)

    async with workers(deps, work):
        done = await ended(client, batch)
    assert done.request_counts is not None
    assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 1, 4)
    assert [each["custom_id"] for each in await records(client, done.output_file_id)] == ["d"]
    told = {each["custom_id"]: each for each in await records(client, done.error_file_id)}
    assert told["a"]["response"]["status_code"] == 400
    assert told["a"]["response"]["body"]["error"]["code"] == "fetch_failed"
    assert (told["b"]["response"], told["b"]["error"]["code"]) == (None, "job_cancelled")
    assert (told["c"]["response"], told["c"]["error"]["code"]) == (None, "job_deleted")
    assert told["gone"]["response"]["body"]["error"]["code"] == "file_not_found"


async def test_no_more_is_at_work_than_allowed(client: openai.AsyncOpenAI, deps: Deps) -> None:
    few = replace(deps, settings=deps.settings.model_copy(update={"batch_ahead": 3}))
    batch = await made(client, text(*(line(str(n), url=WEB) for n in range(10))))
    await led(few)
    assert (await deps.store.queue()).queued == 3
    async with workers(few):
        done = await ended(client, batch)
    assert [each["custom_id"] for each in await records(client, done.output_file_id)] == [str(n) for n in range(10)]


async def test_a_full_queue_is_left_to_others(client: openai.AsyncOpenAI, deps: Deps) -> None:
    busy = replace(deps, settings=deps.settings.model_copy(update={"max_queue_seconds": 10.0, "batch_ahead": 1}))
    await made(client, text(line("a", url=WEB), line("b", url=WEB)))
    await client.post("/jobs", cast_to=object, body={"source": {"http": {"url": WEB}}})
    await led(busy)
    assert (await deps.store.queue()).queued == 1
    await succeed(deps)
    await asyncio.sleep(0)
    async with workers(busy):
        await until(lambda: _written(deps), "the batch to go on")


async def _written(deps: Deps) -> bool:
    (batch,) = await deps.store.batches.list("default", 9)
    return batch.ended


async def test_a_cancelled_batch_keeps_what_is_done(client: openai.AsyncOpenAI, deps: Deps) -> None:
    few = replace(deps, settings=deps.settings.model_copy(update={"batch_ahead": 2}))
    batch = await made(client, text(*(line(n, url=WEB) for n in "abcd")))
    await led(few)
    await succeed(deps)
    cancelling = await client.batches.cancel(batch.id)
    assert cancelling.status == "cancelling" and cancelling.cancelling_at
    await led(few)
    done = await client.batches.retrieve(batch.id)
    assert (done.status, done.cancelled_at is not None) == ("cancelled", True)
    assert [each["custom_id"] for each in await records(client, done.output_file_id)] == ["a"]
    told = await records(client, done.error_file_id)
    assert [(each["custom_id"], each["error"]["code"]) for each in told] == [(n, "batch_cancelled") for n in "bcd"]
    assert (await client.batches.cancel(batch.id)).status == "cancelled"
    assert {job.status for job in await deps.store.list(9)} == {"succeeded", "cancelled"}


async def test_a_batch_ends_when_its_time_is_up(client: openai.AsyncOpenAI, deps: Deps) -> None:
    batch = await made(client, text(line("a", url=WEB), line("b", url=WEB)))
    await led(deps)
    await succeed(deps)
    held = None
    async with asyncio.timeout(10):
        while held is None:
            held = await deps.store.batches.claim(60)
    await deps.store.batches.save(replace(held, expires_at=datetime.now(UTC) - timedelta(seconds=1)), 60)
    await deps.store.batches.release(held, 0)
    await led(deps)
    done = await client.batches.retrieve(batch.id)
    assert (done.status, done.expired_at is not None) == ("expired", True)
    assert [each["custom_id"] for each in await records(client, done.output_file_id)] == ["a"]
    assert [each["error"]["code"] for each in await records(client, done.error_file_id)] == ["batch_expired"]


async def test_a_batch_goes_with_its_files_when_jobs_do(client: openai.AsyncOpenAI, deps: Deps, stored: Path) -> None:
    batch = await made(client, text(line("a", url=WEB)))
    async with workers(deps):
        done = await ended(client, batch)
    await deps.store.keys.keep("default", 0)
    await sweep(deps)
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve(batch.id)
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(done.output_file_id or "")
    assert len(files(stored)) == 1, "what the user sent stays as long as it was to"


async def test_what_cannot_be_a_batch_is_refused_at_once(http: httpx.AsyncClient, client: openai.AsyncOpenAI) -> None:
    audio = await client.files.create(file=("clip.wav", b"sound"), purpose="user_data")
    asked = {"input_file_id": audio.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    for change, status, param in (
        ({}, 400, "input_file_id"),
        ({"input_file_id": "file-none"}, 404, "input_file_id"),
        ({"endpoint": "/v1/embeddings"}, 400, "endpoint"),
        ({"completion_window": "1h"}, 400, "completion_window"),
        ({"colour": "red"}, 400, "colour"),
        ({"metadata": {"a": "\0"}}, 400, "metadata"),
    ):
        answer = await http.post("/v1/batches", json=asked | change)
        assert (answer.status_code, error(answer)["param"]) == (status, param)


async def test_tenants_do_not_see_each_others_batches(http: httpx.AsyncClient, client: openai.AsyncOpenAI) -> None:
    batches = [await made(client, text(line("a", url=WEB))) for _ in range(3)]
    assert [each.id async for each in client.batches.list(limit=2)] == [each.id for each in batches[::-1]]
    key = (await http.post("/v1/admin/keys", json={"name": "b", "tenant": "b", "scopes": ["jobs"]})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    for method, path in (("GET", ""), ("POST", "/cancel")):
        answer = await http.request(method, f"/v1/batches/{batches[0].id}{path}", headers=headers)
        assert (answer.status_code, error(answer)["code"]) == (404, "batch_not_found")
    assert (await http.get("/v1/batches", headers=headers)).json()["data"] == []
    asked = {"input_file_id": batches[0].input_file_id, "endpoint": ENDPOINT, "completion_window": "24h"}
    assert (await http.post("/v1/batches", json=asked, headers=headers)).status_code == 404
