"""A TranscriptionJob whose result goes to a bucket: it ends when it is there, and says what keeps it from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.transcriber_api import TranscriberApi
from unit.operator_runtime.desk import Desk
from whisper_operator.jobs import TRANSCRIPTION_JOB
from whisper_operator.transcripts import Transcripts

OUTPUT = {"s3": {"url": "s3://texts/2026/"}}
URL = "s3://texts/2026/clip"
OBJECTS = {"srt": f"{URL}.srt"}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk whose job has been transcribed, and is to be written."""
    async with TranscriberApi().running() as server, Transcripts(server.url) as api:
        made = Desk(server, api)
        await made.apply(output=OUTPUT, formats=["srt"])
        await made.look()
        output = {"url": URL, "objects": OBJECTS}
        server.job.update(status="succeeded", results={"srt": "/srt"}, finished_at=1_777_000_000, output=output)
        yield made


def tried(*errors: str | None, status: str = "pending", url: str = URL) -> dict[str, Any]:
    attempts = [{"at": 1, "seconds": 0.1, "status_code": None if error else 200, "error": error} for error in errors]
    return {"id": "1", "url": url, "status": status, "attempts": attempts}


async def test_it_succeeds_once_the_result_is_written(desk: Desk) -> None:
    ((_key, fields, _audio),) = desk.server.submissions
    assert fields["output"] == {"s3": {"url": URL}, "formats": ["srt"]}
    await desk.look()
    assert desk.succeeded == ("Unknown", "WritingOutput")
    assert desk.condition("Reconciling") == ("True", "WritingOutput")
    assert "outputs" not in desk.status and "completionTime" not in desk.status
    assert desk.status["results"], "what is there already can be fetched"
    hook = tried("no answer", url="https://receiver.example/")
    desk.server.deliveries = [hook, tried(None, status="delivered")]
    await desk.look()
    assert desk.succeeded == ("True", "Succeeded")
    assert desk.status["outputs"] == OBJECTS
    assert desk.status["completionTime"] == "2026-04-24T03:06:40Z"


async def test_what_keeps_it_from_the_bucket_is_told_while_it_is_tried_again(desk: Desk) -> None:
    desk.server.deliveries = [tried("took too long", "there is no bucket 'texts' at its endpoint")]
    await desk.look()
    assert desk.succeeded == ("Unknown", "OutputFailed")
    said = desk.status["conditions"][0]["message"]
    assert f"{URL}: there is no bucket 'texts' at its endpoint. It is tried again; see spec.output.s3" in said
    desk.cluster.writes.clear()
    await desk.look()
    assert desk.cluster.writes == [], "the same trouble is no news"
    desk.server.deliveries = [tried("no", None, status="delivered")]
    await desk.look()
    assert desk.succeeded == ("True", "Succeeded")


async def test_what_was_given_up_fails_the_job_but_not_its_result(desk: Desk) -> None:
    desk.server.deliveries = [tried("the bucket 'texts' refuses what its keys may do", status="failed")]
    await desk.look()
    assert desk.succeeded == ("False", "OutputFailed")
    assert desk.condition("Stalled") == ("True", "OutputFailed")
    assert desk.status["results"] and desk.status["completionTime"]
    assert (await desk.look()).gone


async def test_a_key_without_a_slash_at_its_end_is_the_name(desk: Desk) -> None:
    await desk.cluster.delete(TRANSCRIPTION_JOB, "ns", "clip")
    await desk.apply(output={"s3": {"url": "s3://texts/monday"}})
    desk.server.forget()
    await desk.look()
    fields = desk.server.submissions[-1][1]
    assert fields["output"] == {"s3": {"url": "s3://texts/monday"}}


async def test_a_job_that_failed_writes_nothing(desk: Desk) -> None:
    desk.server.job.update(status="failed", error={"code": "invalid_audio", "message": "no audio"}, results={})
    await desk.look()
    assert desk.succeeded == ("False", "InvalidAudio")
    assert "outputs" not in desk.status


async def test_an_api_that_goes_away_meanwhile_is_waited_for(desk: Desk) -> None:
    await desk.look()
    async with Transcripts("http://127.0.0.1:1") as nowhere:
        desk.api = nowhere
        await desk.look()
    assert desk.succeeded == ("Unknown", "Running")
    assert desk.status["progress"] == 100
