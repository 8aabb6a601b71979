"""The whole path on a real node: install, apply, job, transcript; and what happens when things are taken away."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

import manifests
import steps
from assets import speech, weights
from clips import compressed, config_map, word_error_rate
from health import health
from services import openai_answers
from services.node import openai_calls
from steps import Service

pytestmark = pytest.mark.cluster


def submit(service: Service, name: str, clip: bytes, **spec: Any) -> None:
    """A TranscriptionJob whose audio is in a ConfigMap of the same name."""
    steps.apply(service.cluster, service.namespace, config_map(name, {"clip.ogg": clip}))
    source = {"configMap": {"name": name, "key": "clip.ogg"}}
    steps.apply(service.cluster, service.namespace, manifests.job(name, service.name, source, **spec))


def result(service: Service, job: dict[str, Any], form: str = "verbose_json") -> dict[str, Any]:
    """The verbose transcript of a finished job, from the API."""
    with steps.forwarded(service.cluster, service.namespace, f"{service.name}-api") as url, client(service, url) as api:
        path = f"/jobs/{job['status']['jobId']}/result?format={form}"
        return dict(json.loads(api.get(path, cast_to=str)))


def client(service: Service, url: str) -> OpenAI:
    """The unmodified OpenAI client against the service."""
    key = steps.api_key(service.cluster, service.namespace, service.name)
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def test_a_job_becomes_the_transcript_of_what_was_said(service: Service, tmp_path: Path) -> None:
    clip = speech.long(20)
    submit(service, "said", compressed(clip, tmp_path))
    done = steps.until(service.cluster, service.namespace, steps.JOB_KIND, "said", steps.finished, 120)

    assert steps.condition(done, "Succeeded")["status"] == "True"
    assert done["status"]["progress"] == 100
    assert done["status"]["language"] == "en"
    assert done["status"]["audioSeconds"] == pytest.approx(clip.seconds, abs=0.5)
    digest = hashlib.sha256((weights.base() / "model.bin").read_bytes()).hexdigest()
    assert done["status"]["modelDigest"] == f"sha256:{digest}"
    assert done["status"]["engine"] == "ctranslate2"

    transcript = result(service, done)
    assert word_error_rate(clip.text, transcript["text"]) < 0.25
    assert transcript["model_digest"] == f"sha256:{digest}"
    table = service.cluster.kubectl("get", "transcriptionjobs", "--namespace", service.namespace)
    assert "Succeeded" in table
    assert "100" in table
    ready = steps.get(service.cluster, service.namespace, steps.TRANSCRIBER_KIND, service.name)
    assert health(ready)[:2] == health(done)[:2] == ("Current", "Healthy")


def test_the_openai_client_is_served(service: Service) -> None:
    clip = speech.long(12)
    with steps.forwarded(service.cluster, service.namespace, "main-api") as url, client(service, url) as api:
        with clip.path.open("rb") as audio:
            heard = api.audio.transcriptions.create(file=audio, model="whisper-1")
        with clip.path.open("rb") as audio:
            subtitles = api.audio.transcriptions.create(file=audio, model="base", response_format="srt")
    assert word_error_rate(clip.text, heard.text) < 0.25
    assert subtitles.startswith("1\n00:00:0")


def test_the_openai_client_for_node_is_answered_as_on_one_machine(service: Service) -> None:
    key = steps.api_key(service.cluster, service.namespace, service.name)
    with steps.forwarded(service.cluster, service.namespace, "main-api") as url:
        openai_answers.good(openai_calls(url, key))


def test_audio_comes_from_a_web_server(service: Service, tmp_path: Path) -> None:
    clip = speech.long(10)
    steps.apply(
        service.cluster,
        service.namespace,
        config_map("served", {"clip.ogg": compressed(clip, tmp_path)}),
        *manifests.web_server("web", "served"),
    )
    steps.until(service.cluster, service.namespace, "pod", "web", steps.holds_pod_ready, 60)
    steps.apply(
        service.cluster,
        service.namespace,
        manifests.job("from-http", "main", {"http": {"url": f"http://web.{service.namespace}.svc:8080/clip.ogg"}}),
    )
    done = steps.until(service.cluster, service.namespace, steps.JOB_KIND, "from-http", steps.finished, 120)
    assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
    assert word_error_rate(clip.text, result(service, done)["text"]) < 0.25


@pytest.mark.parametrize(
    "body", [b"", b"this is no audio", b"RIFF\x00\x00\x00\x00WAVE"], ids=["empty", "text", "header"]
)
def test_bad_audio_fails_the_job_with_a_reason(service: Service, body: bytes) -> None:
    name = f"bad-{len(body)}"
    submit(service, name, body)
    done = steps.until(service.cluster, service.namespace, steps.JOB_KIND, name, steps.finished, 60)
    ended = steps.condition(done, "Succeeded")
    assert (ended["status"], ended["reason"]) == ("False", "InvalidAudio")
    assert health(done)[:2] == ("Failed", "Degraded")
    assert "file" in ended["message"].lower() or "audio" in ended["message"].lower(), ended["message"]


def test_a_killed_worker_costs_at_most_one_window(service: Service, tmp_path: Path) -> None:
    clip = speech.long(240)
    submit(service, "killed", compressed(clip, tmp_path))
    steps.until(
        service.cluster,
        service.namespace,
        steps.JOB_KIND,
        "killed",
        lambda job: 10 <= job.get("status", {}).get("progress", 0) < 90,
        120,
    )
    steps.sigkill(service.cluster, service.namespace, "app.kubernetes.io/component=worker", "whisper-transcriber")
    done = steps.until(service.cluster, service.namespace, steps.JOB_KIND, "killed", steps.finished, 300)

    assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
    assert word_error_rate(clip.text, result(service, done)["text"]) < 0.25
    with steps.forwarded(service.cluster, service.namespace, "main-api") as url, client(service, url) as api:
        row = json.loads(api.get(f"/jobs/{done['status']['jobId']}", cast_to=str))
    assert row["windows"]["total"] == row["windows"]["done"] >= 8
    assert row["windows"]["repeated"] <= 1
    restarts = service.cluster.kubectl(
        *("get", "pods", "--namespace", service.namespace, "--selector", "app.kubernetes.io/component=worker"),
        *("--output", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"),
    )
    assert restarts.strip() == "1"


def test_a_child_deleted_by_hand_comes_back(service: Service) -> None:
    before = steps.get(service.cluster, service.namespace, "service", "main-api")["metadata"]["uid"]
    service.cluster.kubectl("delete", "service", "main-api", "--namespace", service.namespace)
    after = steps.until_exists(service.cluster, service.namespace, "service", "main-api", 5)
    assert after["metadata"]["uid"] != before
