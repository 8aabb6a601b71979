"""A TranscriptionJob's way, against a transcriber's API over real HTTP and a cluster in memory."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.transcriber_api import TranscriberApi
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.jobs import TRANSCRIPTION_JOB, Keys, abandon, follow
from whisper_operator.jobs.state import pascal, pause
from whisper_operator.reconcile import Outcome
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HTTP = {"http": {"url": "http://example.test/a.ogg"}}


class Desk:
    """One TranscriptionJob, the API it goes to, and the clock."""

    def __init__(self, server: TranscriberApi, api: Transcripts) -> None:
        self.cluster, self.server, self.api = FakeCluster(), server, api
        self.keys, self.now = Keys(self.cluster), NOON

    async def apply(self, source: Any = HTTP, **spec: Any) -> None:
        meta = {"name": "clip", "namespace": "ns"}
        body = {"transcriberRef": {"name": "main"}, "source": source, **spec}
        await self.cluster.apply(
            {"apiVersion": TRANSCRIPTION_JOB.api_version, "kind": "TranscriptionJob", "metadata": meta, "spec": body}
        )

    async def look(self) -> Outcome:
        settings = Settings(identity="test")
        return await follow(self.cluster, self.api, self.keys, "ns", "clip", settings, self.now)

    @property
    def body(self) -> dict[str, Any]:
        return self.cluster["TranscriptionJob", "clip"]

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["status"]
        return found

    @property
    def succeeded(self) -> tuple[str, str]:
        return self.condition("Succeeded")

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of the condition of that type, which has seen the newest spec."""
        (found,) = [condition for condition in self.status["conditions"] if condition["type"] == kind]
        assert found["observedGeneration"] == self.body["metadata"]["generation"]
        return found["status"], found["reason"]

    async def secret(self, key: str) -> None:
        data = {"api-key": base64.b64encode(key.encode()).decode()}
        meta = {"name": "main-api-key", "namespace": "ns"}
        await self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with TranscriberApi().running() as server, Transcripts(server.url) as api:
        yield Desk(server, api)


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


async def test_an_object_of_a_bucket_is_handed_over_by_its_name(desk: Desk) -> None:
    await desk.apply({"s3": {"url": "s3://calls/2026/a b.mp3"}})
    await desk.look()
    ((_key, fields, audio),) = desk.server.submissions
    assert (fields["source"], audio) == ({"s3": {"url": "s3://calls/2026/a b.mp3"}}, None)


async def test_only_the_formats_that_were_asked_for(desk: Desk) -> None:
    await desk.apply(formats=["srt"])
    await desk.look()
    desk.server.job.update(status="succeeded", results={"json": "/j", "srt": "/s"})
    await desk.look()
    assert list(desk.status["results"]) == ["srt"]


@pytest.mark.parametrize("field", ["binaryData", "data"])
async def test_a_clip_in_a_config_map_is_uploaded(desk: Desk, field: str) -> None:
    await desk.apply({"configMap": {"name": "clips", "key": "a.ogg"}}, wordTimestamps=False)
    await desk.look()
    assert desk.succeeded == ("Unknown", "SourceNotFound")
    value = base64.b64encode(b"audio").decode() if field == "binaryData" else "audio"
    clips = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clips", "namespace": "ns"}}
    await desk.cluster.create({**clips, field: {"a.ogg": value}})
    await desk.look()
    ((_, fields, audio),) = desk.server.submissions
    assert audio == b"audio"
    assert fields == {"filename": "a.ogg", "task": "transcribe", "wordTimestamps": "false", "priority": "0"}


async def test_a_webhooks_url_may_be_a_secret(desk: Desk) -> None:
    await desk.apply(webhook={"urlSecretRef": {"name": "hook"}, "transcript": True})
    await desk.look()
    assert desk.succeeded == ("Unknown", "SecretNotFound")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook", "namespace": "ns"}}
    await desk.cluster.create({**secret, "data": {"uri": "eA=="}})
    assert (await desk.look()).label == "stalled", "so that the next look reads the Secret anew"
    assert desk.succeeded == ("Unknown", "SecretNotFound")
    await desk.cluster.apply({**secret, "data": {"url": base64.b64encode(b"https://a.example/token").decode()}})
    await desk.look()
    assert desk.succeeded == ("Unknown", "Queued")
    ((_, fields, _),) = desk.server.submissions
    assert fields["webhook"] == {"url": "https://a.example/token", "transcript": True}
    assert "token" not in str(desk.body)


async def test_a_secret_that_is_no_url_is_refused_and_not_told(desk: Desk) -> None:
    data = {"url": base64.b64encode(b"postgresql://user:swordfish@host/db").decode()}
    meta = {"name": "hook", "namespace": "ns"}
    await desk.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    await desk.apply(webhook={"urlSecretRef": {"name": "hook"}})
    await desk.look()
    assert desk.succeeded == ("False", "InvalidSpec")
    assert "swordfish" not in str(desk.body)
    assert desk.server.submissions == []


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
