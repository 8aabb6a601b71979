"""Outputs over HTTP: asked for with a job, shown with it, and refused where they make no sense."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.servers import until
from unit.transcriber_service.calls import CLIP, error, succeed
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.outputs import ENDINGS, SCHEDULE
from whisper_transcriber.render import FORMATS
from whisper_transcriber.settings import S3Output
from whisper_transcriber.worker.deliver import delivering

URL = "s3://texts/2026/"


async def made(http: httpx.AsyncClient, output: Any) -> httpx.Response:
    return await http.post("/v1/jobs", files=CLIP, data={"output": json.dumps(output)})


async def test_a_job_says_what_it_will_write(http: httpx.AsyncClient) -> None:
    job = (await made(http, {"s3": {"url": URL}, "formats": ["srt", "srt"]})).raise_for_status().json()
    assert job["output"] == {"url": URL, "objects": {"srt": f"{URL}{job['id']}.srt"}}
    assert (await http.get(f"/v1/jobs/{job['id']}")).json()["output"] == job["output"]
    body = {"source": {"http": {"url": "https://example.com/a.mp3"}}, "output": {"s3": {"url": "s3://texts/a b"}}}
    job = (await http.post("/v1/jobs", json=body)).raise_for_status().json()
    assert job["output"]["objects"] == {form: f"s3://texts/a b{ENDINGS[form]}" for form in FORMATS}
    assert (await http.post("/v1/jobs", files=CLIP)).json()["output"] is None


@pytest.mark.parametrize(
    "output",
    [
        "s3://texts/a",
        {},
        {"s3": {}},
        {"s3": {"url": "s3://texts"}},
        {"s3": {"url": "s3://Texts/a"}},
        {"s3": {"url": "https://texts/a"}},
        {"s3": {"url": "s3://texts/../a"}},
        {"s3": {"url": "s3://texts/a/./b"}},
        {"s3": {"url": "s3://texts/a//b"}},
        {"s3": {"url": "s3://texts/a\nb"}},
        {"s3": {"url": "s3://texts/" + "a" * 900}},
        {"s3": {"url": URL, "secretKey": "x"}},
        {"s3": {"url": URL}, "formats": []},
        {"s3": {"url": URL}, "formats": ["docx"]},
    ],
)
async def test_an_output_that_makes_no_sense_is_a_400(http: httpx.AsyncClient, output: Any) -> None:
    answer = await made(http, output)
    assert answer.status_code == 400
    assert error(answer)["param"].startswith("output")


async def test_what_cannot_be_written_is_tried_again_and_says_why(http: httpx.AsyncClient, deps: Deps) -> None:
    job = UUID((await made(http, {"s3": {"url": URL}})).json()["id"])
    assert await succeed(deps) == job
    settings = deps.settings.model_copy(update={"s3_outputs": (S3Output(bucket="elsewhere"),)})
    stop = asyncio.Event()
    task = asyncio.create_task(delivering(replace(deps, settings=settings), stop))

    async def tried() -> bool:
        return bool((await deps.store.hooks.of(job))[0].log)

    await until(tried, "the first try")
    stop.set()
    await task
    (delivery,) = await deps.store.hooks.of(job)
    assert delivery.status == "pending"
    assert delivery.log[0].error == "the bucket 'texts' is not one that this service may write to for you"
    assert delivery.next_at is not None
    wait = (delivery.next_at - delivery.log[0].at).total_seconds()
    assert SCHEDULE[0] <= wait < SCHEDULE[0] * 1.2 + 5
    assert 3 * 86400 <= sum(SCHEDULE) < 4 * 86400
