"""A TranscriptionJob's way, against a transcriber's API over real HTTP and a cluster in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from unit.operator_runtime.desk import HTTP, NOON, Desk
from whisper_operator.jobs import abandon
from whisper_operator.jobs.state import pascal, pause
from whisper_operator.transcripts import Transcripts


async def test_from_url_to_succeeded(desk: Desk) -> None:
    await desk.apply(language="en", wordTimestamps=True, priority=3)
    await desk.look()
    ((key, fields, audio),) = desk.server.submissions
    assert key == desk.body["metadata"]["uid"] and audio is None
    assert fields == {"source": HTTP, "language": "en", "task": "transcribe", "wordTimestamps": True, "priority": 3}
    assert desk.succeeded == ("Unknown", "Queued") and desk.status["jobId"] == "job-1"

    desk.server.job.update(status="running", progress=40, audio_seconds=60.04, processed_seconds=24.0, started_at=1)
    await desk.look()
    assert desk.succeeded == ("Unknown", "Running")
    assert (desk.status["progress"], desk.status["audioSeconds"]) == (40, 60.0)

    done = {
        "status": "succeeded",
        "progress": 99,
        "language": "en",
        "model_digest": "sha256:0",
        "engine": "ctranslate2",
    }
    results = {form: f"/v1/jobs/job-1/result?format={form}" for form in ("json", "srt")}
    desk.server.job.update(done, results=results, real_time_factor=0.05, finished_at=1_777_000_000)
    await desk.look()
    assert desk.succeeded == ("True", "Succeeded")
    assert desk.status["progress"] == 100 and desk.status["modelDigest"] == "sha256:0"
    assert desk.status["results"]["srt"] == "http://main-api.ns.svc/v1/jobs/job-1/result?format=srt"
    assert desk.status["completionTime"] == "2026-04-24T03:06:40Z"
    assert (await desk.look()).gone


async def test_only_the_formats_that_were_asked_for(desk: Desk) -> None:
    await desk.apply(formats=["srt"])
    await desk.look()
    desk.server.job.update(status="succeeded", results={"json": "/j", "srt": "/s"})
    await desk.look()
    assert list(desk.status["results"]) == ["srt"]


async def test_nothing_is_written_while_nothing_changes(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    desk.cluster.writes.clear()
    await desk.look()
    assert desk.cluster.writes == []


async def test_a_failed_job_says_why(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    desk.server.job.update(status="failed", error={"code": "invalid_audio", "message": "no audio stream"})
    await desk.look()
    assert desk.succeeded == ("False", "InvalidAudio")
    assert desk.status["conditions"][0]["message"] == "no audio stream"
    assert desk.condition("Stalled") == ("True", "InvalidAudio")
    assert desk.condition("Reconciling") == ("False", "InvalidAudio")


async def test_a_request_that_the_api_refuses_fails_for_good(desk: Desk) -> None:
    await desk.apply(model="nobody")
    desk.server.refusal = (404, "model_not_found", "The model 'nobody' does not exist.")
    await desk.look()
    assert desk.succeeded == ("False", "ModelNotFound")
    assert desk.status["completionTime"] == "2026-05-01T12:00:00Z"


async def test_trouble_of_the_api_is_waited_out(desk: Desk) -> None:
    await desk.apply()
    desk.server.refusal = (503, "unavailable", "starting")
    await desk.look()
    assert desk.succeeded == ("Unknown", "WaitingForTranscriber")
    desk.server.refusal = None
    await desk.look()
    assert desk.succeeded == ("Unknown", "Queued")


async def test_a_transcriber_that_is_not_there_is_named(desk: Desk) -> None:
    await desk.apply()
    async with Transcripts("http://127.0.0.1:1") as nowhere:
        desk.api = nowhere
        await desk.look()
    assert desk.succeeded == ("Unknown", "WaitingForTranscriber")
    assert "WhisperTranscriber main does not exist" in desk.status["conditions"][0]["message"]


async def test_an_api_that_goes_away_leaves_the_job_running(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    desk.server.job.update(status="running", progress=10)
    await desk.look()
    async with Transcripts("http://127.0.0.1:1") as nowhere:
        desk.api = nowhere
        await desk.look()
    assert desk.succeeded == ("Unknown", "Running")
    assert desk.status["progress"] == 10 and desk.status["jobId"] == "job-1"


async def test_a_job_that_the_api_lost_is_handed_over_again_under_the_same_key(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    desk.server.forget()
    await desk.look()
    first, second = desk.server.submissions
    assert first[0] == second[0] and desk.status["jobId"] == "job-2"


async def test_a_crash_between_hand_over_and_status_makes_no_second_job(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    del desk.body["status"]
    await desk.look()
    assert len(desk.server.jobs) == 1 and desk.status["jobId"] == "job-1"


async def test_cancel(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    await desk.apply(cancel=True)
    await desk.look()
    assert desk.server.job["status"] == "cancelled"
    assert desk.succeeded == ("False", "Cancelled")
    assert desk.condition("Stalled") == ("False", "Cancelled")


async def test_an_ended_job_has_seen_what_may_still_be_changed(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    desk.server.job.update(status="succeeded")
    await desk.look()
    await desk.apply(ttlSecondsAfterFinished=3600)
    await desk.look()
    assert desk.status["observedGeneration"] == desk.body["metadata"]["generation"] == 2
    assert desk.succeeded == ("True", "Succeeded")
    desk.cluster.writes.clear()
    await desk.look()
    assert desk.cluster.writes == []


async def test_cancel_before_the_hand_over_never_asks_the_api(desk: Desk) -> None:
    await desk.apply(cancel=True)
    await desk.look()
    assert desk.succeeded == ("False", "Cancelled") and not desk.server.submissions


async def test_a_changed_key_is_read_again(desk: Desk) -> None:
    desk.server.key = "first"
    await desk.secret("first")
    await desk.apply()
    await desk.look()
    assert desk.succeeded == ("Unknown", "Queued")
    desk.server.key = "second"
    await desk.secret("second")
    await desk.look()
    assert desk.succeeded == ("Unknown", "Running")  # refused once, the key forgotten
    await desk.look()
    assert desk.succeeded == ("Unknown", "Queued")


async def test_an_ended_job_is_deleted_when_its_time_is_up(desk: Desk) -> None:
    await desk.apply(ttlSecondsAfterFinished=60)
    await desk.look()
    desk.server.job.update(status="succeeded", finished_at=int(NOON.timestamp()))
    await desk.look()
    assert (await desk.look()).again == 60
    desk.now = NOON + timedelta(seconds=61)
    assert (await desk.look()).gone
    assert ("TranscriptionJob", "clip") not in desk.cluster


async def test_a_deleted_resource_cancels_its_job(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    await abandon(desk.api, desk.keys, desk.body)
    assert desk.server.job["status"] == "cancelled"


async def test_a_deleted_resource_without_an_api_harms_nobody(desk: Desk) -> None:
    await desk.apply()
    await desk.look()
    async with Transcripts("http://127.0.0.1:1") as nowhere:
        await abandon(nowhere, desk.keys, desk.body)


def test_looks_grow_rarer_with_the_age_of_a_job() -> None:
    assert [pause(NOON, NOON + timedelta(seconds=s)) for s in (0, 20, 60, 3600)] == [1.0, 1.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("code", "reason"), [("invalid_audio", "InvalidAudio"), ("http-500", "Http500"), ("", "Failed")]
)
def test_codes_become_reasons(code: str, reason: str) -> None:
    assert pascal(code) == reason
