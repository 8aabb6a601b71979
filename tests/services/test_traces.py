"""Traces of real processes in a real collector: one request is one trace, whichever processes it goes through."""

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets import speech
from services.collector import Collector, collector
from services.receiver import OK, receiver
from services.running import KEY, Client, Process, Service
from services.servers import free_port
from services.test_standalone import standalone
from services.test_webhooks import HOOKS, delivered

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BEGUN = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
SERVER, CLIENT, CONSUMER = 2, 3, 5
# Its queue is small, so that a test can fill it.
HURRIED = {"OTEL_BSP_MAX_QUEUE_SIZE": "40", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def there() -> Iterator[Collector]:
    with collector() as made:
        yield made


async def test_one_upload_is_one_trace_through_api_queue_worker_and_webhook(service: Service, there: Collector) -> None:
    env = {**HOOKS, **there.env, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-collector"}
    api = service.start("serve", **env, OTEL_SERVICE_NAME="the-api")
    worker = service.start("work", **env, OTEL_RESOURCE_ATTRIBUTES="service.name=the-worker,k8s.pod.name=w-0")
    client, clip = Client(api), speech.long(5)
    async with receiver(OK) as hook:
        with clip.path.open("rb") as audio, client.http as http:
            fields = {"model": "tiny", "webhook": json.dumps({"url": hook.url})}
            made = http.post("/v1/jobs", files={"file": ("private.wav", audio)}, data=fields, headers=BEGUN)
        job = made.raise_for_status().json()["id"]
        await delivered(client, job)
    assert (api.terminate(), worker.terminate()) == (0, 0)
    ours = [span for span in there.spans if span.trace == TRACE]
    assert Counter(span.name for span in ours) == Counter(
        ["POST /v1/jobs", "queue", "claim open", "fetch audio", "decode audio", "transcribe", "record result"]
        + ["deliver webhook"]
        + ["batch"] * len(there.named("batch"))
    )
    post, wait, claim, heard = (there.one(name) for name in ("POST /v1/jobs", "queue", "claim open", "transcribe"))
    assert (post.parent, post.kind, post.by["service.name"]) == (CALLER, SERVER, "the-api")
    assert (post.about["http.route"], post.about["http.response.status_code"]) == ("/v1/jobs", "201")
    for span in (wait, claim, there.one("deliver webhook")):
        assert (span.parent, span.by["service.name"], span.by["k8s.pod.name"]) == (post.id, "the-worker", "w-0")
    assert (claim.kind, there.one("deliver webhook").kind) == (CONSUMER, CLIENT)
    assert (claim.about["whisper.job.id"], claim.about["whisper.claim.outcome"]) == (job, "succeeded")
    for name in ("fetch audio", "decode audio", "transcribe", "record result"):
        assert there.one(name).parent == claim.id, name
    assert there.named("batch")
    for batch in there.named("batch"):
        assert (batch.parent, batch.links) == (heard.id, [(TRACE, heard.id)])
    assert post.began <= wait.began <= wait.ended <= claim.ended
    assert not [span for span in ours if span.failed]
    assert {headers["authorization"] for headers in there.headers} == {"Bearer of-the-collector"}
    for secret in (
        KEY,
        HOOKS["WHISPER_WEBHOOK_SECRET"],
        "private.wav",
        "token=of-the-receiver",
        *clip.text.split()[:1],
    ):
        assert secret.encode() not in there.bodies
    for process, event in ((api, "Answered"), (worker, "Claimed job"), (worker, "Tried a webhook")):
        assert TRACE in [line.get("trace_id") for line in log(process) if line["event"] == event], event


def test_a_batch_of_several_requests_is_linked_to_each(service: Service, there: Collector) -> None:
    client = Client(service.start("serve", **there.env))
    jobs = [client.submit(speech.long(5).path, model="tiny")["id"] for _ in range(4)]
    # One lane with all the time there is: while it does the first window, the others come together.
    worker = service.start("work", **there.env, WHISPER_THREADS="1", WHISPER_BATCH_SECONDS="1000")
    for job in jobs:
        assert client.ended(job)["status"] == "succeeded"
    assert worker.terminate() == 0
    heard = {(span.trace, span.id): span for span in there.named("transcribe")}
    assert len({trace for trace, _ in heard}) == 4
    for batch in there.named("batch"):
        assert set(batch.links) <= set(heard)
        assert batch.links[0] == (batch.trace, batch.parent)
    together = [batch for batch in there.named("batch") if len(batch.links) > 1]
    assert together, "short files at once share batches"
    assert all(int(batch.about["whisper.batch.windows"]) >= len(batch.links) for batch in together)


def test_nothing_is_sent_where_traces_are_off(service: Service, there: Collector) -> None:
    env = {**there.env, "OTEL_TRACES_EXPORTER": "none"}
    client = Client(service.start("serve", **env))
    worker = service.start("work", **env)
    assert client.ended(client.submit(speech.long(5).path, model="tiny")["id"])["status"] == "succeeded"
    assert (client.api.terminate(), worker.terminate()) == (0, 0)
    assert there.headers == []
    assert not [line for process in (client.api, worker) for line in log(process) if "trace_id" in line]


@pytest.fixture(params=["refused", "silent"])
def nowhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a collector that is not there, or takes requests and never answers."""
    if request.param == "refused":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_collector_that_is_away_harms_nothing(service: Service, nowhere: str) -> None:
    env = {**HURRIED, "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere}
    client = Client(service.start("serve", **env))
    worker = service.start("work", **env)
    assert client.ended(client.submit(speech.long(5).path, model="tiny")["id"])["status"] == "succeeded"
    with client.http as http:
        for _ in range(120):
            assert http.get("/v1/models").status_code == 200
    assert [line for line in log(client.api) if line["event"].startswith("Queue full")], "nothing piles up"
    for process in (client.api, worker):
        began = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - began < 8, process.command
    said = [line for line in log(client.api) if str(line["logger"]).startswith("opentelemetry")]
    assert len(said) < 40, "it is told, and not at every span"


def test_one_process_is_one_trace_too(tmp_path: Path, there: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in there.env.items():
        monkeypatch.setenv(name, value)
    with standalone(tmp_path / "data") as made:
        with made.http() as http, speech.long(5).path.open("rb") as audio:
            http.post("/v1/audio/transcriptions", files={"file": audio}, headers=BEGUN).raise_for_status()
        assert made.end(signal.SIGTERM) == 0
    post, claim = there.one("POST /v1/audio/transcriptions"), there.one("claim open")
    assert (post.trace, post.parent, claim.trace, claim.parent) == (TRACE, CALLER, TRACE, post.id)
    assert {span.by["service.name"] for span in there.spans} == {"whisper-transcriber"}
    assert post.ended >= claim.began, "who waits for the transcript is still there"


def log(process: Process) -> list[dict[str, Any]]:
    """The lines that a process has written."""
    return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
