"""Webhooks from the service's own processes: what receivers are sent, and what is sent again after a SIGKILL."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook

from assets import speech, weights
from services.node import installed
from services.receiver import OK, SILENT, Received, Receiver, receiver, status
from services.running import PATIENCE, Client, Process, Service
from services.servers import free_port, new_postgres, until

ROOT = "root-of-the-webhook-secrets"
HOOKS = {
    "WHISPER_WEBHOOK_SECRET": ROOT,
    "WHISPER_FETCH_ALLOW_PRIVATE": "true",
    "WHISPER_WEBHOOK_SCHEDULE": "[0.5, 0.5, 0.5]",
    "WHISPER_PUBLIC_URL": "https://speech.example.com",
}
# A lease of one that is killed runs out so long, and a little, after it.
QUICK = {**HOOKS, "WHISPER_WEBHOOK_TIMEOUT_SECONDS": "2"}


def hooked(client: Client, there: Receiver, **more: Any) -> str:
    """A job that tells the receiver of its end."""
    id_ = client.submit(speech.long(5).path, webhook=json.dumps({"url": there.url, **more}))["id"]
    assert isinstance(id_, str)
    return id_


def cancelled(client: Client, there: Receiver) -> str:
    """One that has been cancelled."""
    job = hooked(client, there)
    with client.http as http:
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    return job


def secret(client: Client) -> str:
    """What receivers are given."""
    with client.http as http:
        return str(http.get("/v1/webhooks/secret").raise_for_status().json()["secret"])


def deliveries(client: Client, job: str) -> list[dict[str, Any]]:
    """What came of a job's webhook so far."""
    with client.http as http:
        return list(http.get(f"/v1/jobs/{job}/deliveries").raise_for_status().json()["data"])


async def delivered(client: Client, job: str) -> dict[str, Any]:
    """The delivery of a job, once the receiver has taken it."""

    async def over() -> bool:
        return [each["status"] for each in await asyncio.to_thread(deliveries, client, job)] == ["delivered"]

    await until(over, "the delivery", PATIENCE)
    return deliveries(client, job)[0]


def started(service: Service, command: str, **env: str) -> Process:
    return service.start(command, **{**HOOKS, **env})


async def test_a_transcripts_webhook_is_what_the_clients_verify(service: Service) -> None:
    api, _ = started(service, "serve"), started(service, "work")
    client = Client(api)
    known = secret(client)
    async with receiver(status(503), OK) as there:
        job = await asyncio.to_thread(hooked, client, there, transcript=True)
        first, second = await there.got(2, PATIENCE)
        delivery = await delivered(client, job)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    event = Webhook(known).verify(second.body, second.headers)
    with OpenAI(api_key="none", webhook_secret=known) as openai:
        assert openai.webhooks.unwrap(second.body, second.headers).id == event["id"]
        with pytest.raises(InvalidWebhookSignatureError):
            openai.webhooks.unwrap(second.body.replace(b"succeeded", b"succeedee"), second.headers)
    assert by_node(second, known) == {"type": "transcription.job.completed", "id": event["id"], "job": job}
    assert by_node(Received("", second.headers, second.body + b" "), known) == {
        "refused": "InvalidWebhookSignatureError"
    }
    assert event["data"]["transcript"] == client.result(job, "text").text.strip()
    assert event["data"]["result"] == f"https://speech.example.com/v1/jobs/{job}/result"
    assert [each["status_code"] for each in delivery["attempts"]] == [503, 204]
    logged = "".join(process.log.read_text() for process in service.processes)
    for hidden in (ROOT, known, "of-the-receiver", event["data"]["transcript"]):
        assert hidden not in logged


async def test_what_a_killed_worker_was_sending_is_sent_by_another(service: Service) -> None:
    client = Client(started(service, "serve", **QUICK))
    first = service.launch("work", **{**QUICK, "WHISPER_WEBHOOK_TIMEOUT_SECONDS": "5"})
    async with receiver(SILENT, OK) as there:
        job = await asyncio.to_thread(cancelled, client, there)
        await there.got(1, PATIENCE)
        first.kill()
        service.launch("work", **QUICK)
        before, after = await there.got(2, PATIENCE)
        delivery = await delivered(client, job)
    assert before.headers["webhook-id"] == after.headers["webhook-id"] == delivery["event_id"]
    assert before.body == after.body
    Webhook(secret(client)).verify(after.body, after.headers)
    assert [each["status_code"] for each in delivery["attempts"]] == [204]


async def test_a_webhook_outlives_its_database(service: Service) -> None:
    """PostgreSQL dies while a receiver thinks: what it answered cannot be recorded, so it is told once more."""
    database = new_postgres()
    url = await database.fresh()
    env = {**QUICK, "WHISPER_DATABASE_URL": url}
    assert service.run("migrate", **env).returncode == 0
    client = Client(service.start("serve", **env))
    worker = service.start("work", **env)
    async with receiver(held := asyncio.Event(), OK) as there:
        job = await asyncio.to_thread(cancelled, client, there)
        await there.got(1, PATIENCE)
        await asyncio.to_thread(database.server.stop)
        held.set()
        await until(lambda: asyncio.to_thread(lost, worker), "the worker to miss the database", PATIENCE)
        await asyncio.to_thread(database.server.start)
        await there.got(2, PATIENCE)
        await delivered(client, job)
    assert len({each.headers["webhook-id"] for each in there.requests}) == 1


async def test_a_service_on_one_machine_sends_what_it_was_killed_at(tmp_path: Path) -> None:
    async with receiver(SILENT, OK) as there:
        async with standalone(tmp_path) as (process, http):
            job = (await made(http, there)).json()["id"]
            (await http.post(f"/v1/jobs/{job}/cancel")).raise_for_status()
            await there.got(1, PATIENCE)
            process.kill()
        async with standalone(tmp_path) as (_, http):
            before, after = await there.got(2, PATIENCE)
            known = (await http.get("/v1/webhooks/secret")).json()["secret"]
            assert before.headers["webhook-id"] == after.headers["webhook-id"]
            Webhook(known).verify(after.body, after.headers)
            assert (tmp_path / "data" / "webhook-secret").stat().st_mode & 0o777 == 0o600

            async def over() -> bool:
                found = (await http.get(f"/v1/jobs/{job}/deliveries")).json()["data"]
                return [each["status"] for each in found] == ["delivered"]

            await until(over, "the delivery", PATIENCE)


def by_node(got: Received, known: str) -> Any:
    """What the Node client makes of it."""
    script = installed(Path(__file__).parent / "openai_node" / "webhook.mjs")
    said = json.dumps({"body": got.body.decode(), "headers": got.headers, "secret": known})
    done = subprocess.run(["node", str(script)], input=said, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lost(worker: Process) -> bool:
    """Whether it could not record what came of a webhook."""
    return "Left a webhook to run out" in worker.log.read_text()


def launched(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    named = ["--model", str(weights.tiny_en()), "--port", str(port), "--data-dir", str(folder / "data")]
    env = {**os.environ, **{name: value for name, value in HOOKS.items() if name != "WHISPER_WEBHOOK_SECRET"}}
    command = [sys.executable, "-m", "whisper_transcriber", "standalone", *named]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, env=env, stderr=log)


@asynccontextmanager
async def standalone(folder: Path) -> AsyncIterator[tuple["subprocess.Popen[bytes]", httpx.AsyncClient]]:
    """One run of the command, and a client of it."""
    port, data = free_port(), folder / "data"
    process = launched(folder, port)
    try:

        async def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
                    return (await http.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, "the service to be ready", PATIENCE)
        headers = {"Authorization": f"Bearer {(data / 'api-key').read_text().strip()}"}
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as http:
            yield process, http
    finally:
        process.kill()
        process.wait(timeout=60)


async def made(http: httpx.AsyncClient, there: Receiver) -> httpx.Response:
    audio = speech.long(5).path.read_bytes()
    hook = {"webhook": json.dumps({"url": there.url})}
    return (await http.post("/v1/jobs", files={"file": ("a.wav", audio)}, data=hook)).raise_for_status()
