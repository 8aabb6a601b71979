"""Batches by the unmodified client against the running service, and over the deaths of those who work at them."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
from openai import OpenAI
from openai.types import Batch

from assets import speech
from clips import word_error_rate
from services.running import KEY, PATIENCE, Client, Service
from services.servers import wait_until

ENDED = {"completed", "failed", "expired", "cancelled"}


def made(api: OpenAI, lines: list[dict[str, Any]], endpoint: Any = "/v1/audio/transcriptions") -> Batch:
    asked = [
        {"custom_id": str(number), "method": "POST", "url": endpoint, "body": {"model": "tiny.en", **body}}
        for number, body in enumerate(lines)
    ]
    content = "\n".join(map(json.dumps, asked)).encode()
    file = api.files.create(file=("lines.jsonl", content), purpose="batch")
    return api.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def ended(api: OpenAI, batch: Batch) -> Batch:
    wait_until(lambda: api.batches.retrieve(batch.id).status in ENDED, "the batch to end", PATIENCE)
    return api.batches.retrieve(batch.id)


def records(api: OpenAI, file: str | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.files.content(file).text.splitlines()] if file else []


def test_the_client_gets_what_was_said_of_each_line(client: Client) -> None:
    clips = [speech.long(5), speech.long(10)]
    with client.openai as api:
        sent = [api.files.create(file=clip.path, purpose="user_data") for clip in clips]
        broken = api.files.create(file=("a.wav", b"no audio"), purpose="user_data")
        upload = api.uploads.upload_file_chunked(file=clips[0].path, mime_type="audio/wav", purpose="user_data")
        batch = made(
            api,
            [
                {"file": sent[0].id},
                {"file": sent[1].id, "response_format": "text"},
                {"file": broken.id},
                {"file": upload.id, "response_format": "verbose_json", "timestamp_granularities": ["word"]},
            ],
        )
        done = ended(api, batch)
        output, errors = records(api, done.output_file_id), records(api, done.error_file_id)
        assert api.batches.list(limit=1).data[0].id == batch.id
    assert done.status == "completed"
    bodies = {each["custom_id"]: each["response"]["body"] for each in output}
    assert word_error_rate(clips[0].text, bodies["0"]["text"]) < 0.3
    assert word_error_rate(clips[1].text, bodies["1"]) < 0.3
    assert [word["word"] for word in bodies["3"]["words"]] == bodies["3"]["text"].split()
    (failed,) = errors
    assert (failed["custom_id"], failed["response"]["body"]["error"]["code"]) == ("2", "invalid_audio")


def test_a_wrong_line_is_named(client: Client) -> None:
    with client.openai as api:
        done = ended(
            api, made(api, [{"url": "https://a.example/x"}, {"url": "https://a.example/x", "prompt": 1.5, "b": 1}])
        )
    assert done.status == "failed"
    assert done.errors and done.errors.data
    assert (done.errors.data[0].line, done.errors.data[0].param) == (2, "body.b")


def test_killed_workers_and_apis_lose_and_double_nothing(service: Service) -> None:
    """SIGKILL of the worker, and of the API, again and again from the first look at the file to the last line."""
    lines, api_process = 20, service.start("serve")
    few = {"WHISPER_BATCH_AHEAD": "8", "WHISPER_POLL_SECONDS": "0.1", "WHISPER_CLAIM_LEASE_SECONDS": "1"}
    deaths: Counter[str] = Counter()
    with OpenAI(base_url=f"{api_process.url}/v1", api_key=KEY, max_retries=8, timeout=PATIENCE) as api:
        audio = api.files.create(file=speech.long(2).path, purpose="user_data")
        batch = made(api, [{"file": audio.id} for _ in range(lines)])
        worker = service.launch("work", **few)
        for moment in (_making, _done(6), _done(lines)):
            wait_until(partial(moment, service, api, batch), "the next moment to kill at", PATIENCE)
            worker.kill()
            deaths[api.batches.retrieve(batch.id).status] += 1
            worker = service.launch("work", **few)
            api_process.kill()
            api_process = service.start("serve", WHISPER_PORT=str(api_process.port))
        done = ended(api, batch)
        output = records(api, done.output_file_id)
    assert deaths["in_progress"] >= 2
    assert done.status == "completed"
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (lines, 0)
    assert [each["custom_id"] for each in output] == [str(number) for number in range(lines)]
    with Client(api_process).http as http:
        jobs = http.get("/v1/jobs", params={"limit": 100, "metadata": f"batch_id:{batch.id}"}).json()["data"]
    assert Counter(job["metadata"]["custom_id"] for job in jobs) == Counter(map(str, range(lines)))
    assert {job["id"] for job in jobs} == {each["response"]["request_id"] for each in output}


def _making(service: Service, _api: OpenAI, _batch: Batch) -> bool:
    """Jobs are being made at this moment: some are there, and the batch does not know of them yet."""
    found = asyncio.run(_asked(service, "SELECT body FROM batches"))
    jobs = asyncio.run(_asked(service, "SELECT count(*) FROM jobs"))
    return int(jobs) > int(json.loads(found)["made"]) or int(json.loads(found)["written"]) > 0


def _done(lines: int) -> Callable[[Service, OpenAI, Batch], bool]:
    def done(_service: Service, api: OpenAI, batch: Batch) -> bool:
        counts = api.batches.retrieve(batch.id).request_counts
        return counts is not None and counts.completed >= lines

    return done


async def _asked(service: Service, statement: str) -> Any:
    connection = await asyncpg.connect(service.env["WHISPER_DATABASE_URL"])
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
