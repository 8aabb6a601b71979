"""Jobs over HTTP: filters, metadata, priority, retries, reuse, events, and when they will be done."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from unit.transcriber_service.calls import CLIP, claim, error, files, succeed
from whisper_transcriber.api import events
from whisper_transcriber.app import create_app
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Failure, Job, JobRequest
from whisper_transcriber.domain.outlook import Outlook, expected_end, position
from whisper_transcriber.store.port import Facts

BY_URL = {"source": {"http": {"url": "http://a/b"}}}


async def made(http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await http.post("/v1/jobs", json=BY_URL | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def ids(http: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await http.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["data"]]


async def test_jobs_are_found_by_what_they_say_about_themselves(http: httpx.AsyncClient) -> None:
    call = await made(http, metadata={"team": "a", "url": "x:y"}, model="b")
    other = await made(http, metadata={"team": "b"}, model="tiny.en", language="en")
    assert call["metadata"] == {"team": "a", "url": "x:y"}
    assert await ids(http, metadata="team:a") == [call["id"]]
    assert await ids(http, metadata=["team:a", "url:x:y"]) == [call["id"]]
    assert await ids(http, metadata=["team:a", "url:x"]) == []
    assert await ids(http, model="whisper-1") == await ids(http, model="base") == [call["id"]]
    assert await ids(http, model="nothing") == []
    today = datetime.now(UTC).isoformat()
    assert await ids(http, created_before=int(datetime.now(UTC).timestamp()) + 9) == [other["id"], call["id"]]
    assert await ids(http, created_after=today) == []
    for query in ("metadata=team", "created_after=yesterday", "created_after=2026-01-01T00:00:00", "after=x"):
        assert (await http.get(f"/v1/jobs?{query}")).status_code == 400


async def test_metadata_of_a_form_is_a_json_object(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/jobs", files=CLIP, data={"metadata": '{"team": "a"}'})
    assert answer.json()["metadata"] == {"team": "a"}
    for wrong in ("team", '["a"]', '{"team": 1}', json.dumps({str(n): "" for n in range(17)})):
        answer = await http.post("/v1/jobs", files=CLIP, data={"metadata": wrong})
        assert answer.status_code == 400, wrong
        assert str(error(answer)["param"]).startswith("metadata")


async def test_priority_and_metadata_can_be_changed(http: httpx.AsyncClient, deps: Deps) -> None:
    first, second = await made(http), await made(http)
    assert (await http.get(f"/v1/jobs/{second['id']}")).json()["queue_position"] == 2
    changed = await http.patch(f"/v1/jobs/{second['id']}", json={"priority": 9, "metadata": {"a": "b"}})
    assert (changed.json()["queue_position"], changed.json()["metadata"]) == (1, {"a": "b"})
    assert str((await claim(deps)).job.id) == second["id"]
    assert (await http.patch(f"/v1/jobs/{first['id']}", json={"priority": 101})).status_code == 400
    assert (await http.patch(f"/v1/jobs/{first['id']}", json={"model": "x"})).status_code == 400


async def test_a_failed_job_is_done_again(http: httpx.AsyncClient, deps: Deps) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    early = await http.post(f"/v1/jobs/{job}/retry")
    assert (early.status_code, error(early)["code"]) == (400, "not_retryable")
    await deps.store.fail(await claim(deps), Failure("model_unavailable", "It is gone."))
    again = await http.post(f"/v1/jobs/{job}/retry")
    assert (again.json()["status"], again.json()["error"]) == ("queued", None)
    assert str(await succeed(deps)) == job
    late = await http.post(f"/v1/jobs/{job}/retry")
    assert (late.status_code, error(late)["code"]) == (400, "not_retryable")


async def test_the_same_audio_is_transcribed_once(http: httpx.AsyncClient, deps: Deps, stored: Path) -> None:
    first = (await http.post("/v1/jobs", files=CLIP)).json()
    await succeed(deps)
    again = (await http.post("/v1/jobs", files=CLIP)).json()
    assert (again["status"], again["reused_from"], again["progress"]) == ("succeeded", first["id"], 100)
    assert (await http.get(again["results"]["text"])).text == "Hello.\n"
    await http.delete(f"/v1/jobs/{first['id']}")
    assert (await http.get(again["results"]["text"])).text == "Hello.\n"
    other = [
        (await http.post("/v1/jobs", files=CLIP, data=fields)).json()
        for fields in ({"language": "de"}, {"reuse": "false"})
    ]
    assert [(job["status"], job["reused_from"]) for job in other] == [("queued", None)] * 2


async def test_a_result_that_is_gone_is_not_reused(http: httpx.AsyncClient, deps: Deps, stored: Path) -> None:
    await http.post("/v1/jobs", files=CLIP)
    await succeed(deps)
    [kept] = [path for path in files(stored) if path.name == "result.json"]
    kept.unlink()
    again = (await http.post("/v1/jobs", files=CLIP)).json()
    assert (again["status"], again["reused_from"]) == ("queued", None)


@pytest.mark.parametrize(
    ("source", "param"),
    [
        ({"http": {"url": "http://a"}, "s3": {"url": "s3://abc/d"}}, "source"),
        ({"s3": {"url": "http://abc/d"}}, "source.s3.url"),
        ({"s3": {"url": "s3://abc"}}, "source.s3.url"),
    ],
)
async def test_a_source_is_exactly_one_place(http: httpx.AsyncClient, source: dict[str, Any], param: str) -> None:
    answer = await http.post("/v1/jobs", json={"source": source})
    assert (answer.status_code, error(answer)["param"]) == (400, param)


async def test_a_bucket_can_be_named(http: httpx.AsyncClient, deps: Deps) -> None:
    await made(http, source={"s3": {"url": "s3://calls/a b.wav"}})
    assert (await claim(deps)).job.request.source_url == "s3://calls/a b.wav"


async def test_who_does_not_want_to_wait_gets_a_job(http: httpx.AsyncClient, deps: Deps) -> None:
    answer = await http.post("/v1/audio/translations", files=CLIP, headers={"Prefer": "wait=5, respond-async"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert answer.json()["task"] == "translate"
    await succeed(deps)
    done = (await http.get(answer.headers["location"])).json()
    assert (await http.get(done["results"]["text"])).text == "Hello.\n"


class Stream:
    """The events of a job: an ASGI client that reads while they come, which httpx's transport does not."""

    def __init__(self, deps: Deps, job: str, last: str | None, stopping: asyncio.Event | None = None) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        headers = [(b"authorization", b"Bearer the-key")]
        if last is not None:
            headers.append((b"last-event-id", last.encode()))
        scope = {
            "type": "http", "method": "GET", "path": f"/v1/jobs/{job}/events", "raw_path": b"", "query_string": b"",
            "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("api", 80), "client": ("c", 1),
        }  # fmt: skip
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._answer(create_app(deps, stopping), scope))

    async def _answer(self, app: FastAPI, scope: dict[str, Any]) -> None:
        await app(scope, self._receive, self.sent.put)

    async def _receive(self) -> dict[str, Any]:
        await self.done.wait()
        return {"type": "http.disconnect"}

    async def events(self) -> AsyncIterator[dict[str, str]]:
        while True:
            message = await asyncio.wait_for(self.sent.get(), 20)
            body = message.get("body", b"").decode()
            if message["type"] == "http.response.body" and not message.get("more_body"):
                return
            if "event:" in body:
                yield dict(line.split(": ", 1) for line in body.strip().splitlines())


async def test_events_tell_a_job_to_its_end(http: httpx.AsyncClient, deps: Deps) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    told = Stream(deps, job, None).events()
    first = await anext(told)
    assert (first["event"], json.loads(first["data"])["queue_position"]) == ("job.progress", 1)
    claimed = await claim(deps)
    await deps.store.learn(claimed, Facts(audio_seconds=40.0))
    running = await anext(told)
    assert json.loads(running["data"])["status"] == "running"
    await deps.store.fail(claimed, Failure("invalid_audio", "It is none."))
    await deps.bell.ring(ended(claimed.job.id))
    last = await anext(told)
    assert (last["event"], json.loads(last["data"])["error"]["code"]) == ("job.failed", "invalid_audio")
    assert await anext(told, None) is None
    assert len({event["id"] for event in (first, running, last)}) == 3
    again = await http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": last["id"]})
    assert again.status_code == 204
    resumed = await http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": running["id"]})
    assert resumed.text.count("event: ") == 1
    assert f"id: {last['id']}" in resumed.text


async def test_what_was_told_is_not_told_again(http: httpx.AsyncClient, deps: Deps) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    first = await anext(Stream(deps, job, None).events())
    told = Stream(deps, job, first["id"]).events()
    await deps.store.cancel(UUID(job))
    await deps.bell.ring(ended(UUID(job)))
    assert (await anext(told))["event"] == "job.cancelled"


async def test_a_silent_job_sends_heartbeats_and_a_deleted_one_ends(
    http: httpx.AsyncClient, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    stream = Stream(deps, job, None)
    body = b""
    while body.count(b"\n: still there") < 2 and body.count(b": still there") < 2:
        body += (await asyncio.wait_for(stream.sent.get(), 20)).get("body", b"")
    await http.delete(f"/v1/jobs/{job}")
    assert [event["event"] async for event in stream.events()][-1] in ("job.deleted", "job.cancelled")


async def test_a_process_that_stops_ends_its_streams(http: httpx.AsyncClient, deps: Deps) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    stopping = asyncio.Event()
    told = Stream(deps, job, None, stopping).events()
    await anext(told)
    stopping.set()
    assert await anext(told, None) is None


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(status: str = "queued", **fields: Any) -> Job:
    return Job(uuid4(), JobRequest("base", sha256="00"), status, NOON, **fields)  # type: ignore[arg-type]


def test_a_running_job_is_judged_by_its_own_pace() -> None:
    running = job("running", started_at=NOON, audio_seconds=100.0, processed_seconds=25.0)
    now = NOON + timedelta(seconds=10)
    assert expected_end(running, Outlook(0, 500.0, None, 1.0), now) == now + timedelta(seconds=30)
    assert position(running, Outlook(0, 0.0)) is None


def test_a_waiting_job_is_judged_by_what_goes_before() -> None:
    outlook = Outlook(3, 80.0, 20.0, 10.0)
    assert position(job(), outlook) == 4
    assert expected_end(job(), outlook, NOON) == NOON + timedelta(seconds=10)
    assert expected_end(job(audio_seconds=120.0), outlook, NOON) == NOON + timedelta(seconds=20)


def test_nobody_can_tell_without_a_pace_or_a_length() -> None:
    assert expected_end(job(), Outlook(0, 0.0, None, 10.0), NOON) is None
    assert expected_end(job(), Outlook(0, 0.0, 20.0, None), NOON) is None
    assert expected_end(job("succeeded", audio_seconds=1.0), Outlook(0, 0.0, 20.0, 1.0), NOON) is None


@pytest.mark.parametrize("body", [{"prompt": "a\0b"}, {"keywords": ["\0x"]}, {"metadata": {"a": "\0"}}])
async def test_what_no_database_can_keep_is_refused(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post("/v1/jobs", json=BY_URL | body)
    assert answer.status_code == 400
    assert "NUL character" in error(answer)["message"]


@pytest.mark.parametrize("address", ["/v1/jobs?model=a%00", "/v1/jobs?metadata=a:%00b", "/v1/models/a%00"])
async def test_what_no_database_can_keep_is_refused_in_an_address(http: httpx.AsyncClient, address: str) -> None:
    answer = await http.get(address)
    assert answer.status_code == 400
    assert "NUL character" in error(answer)["message"]
