"""What is taken away while a job runs: its worker, Redis, or whoever wanted it."""

import json
import socket
import threading
from typing import Any

import httpx

from assets import speech
from clips import word_error_rate
from services import running
from services.running import PATIENCE, Client, Process, Service
from services.servers import answers as answering
from services.servers import new_postgres, new_redis, new_s3, s3, wait_until

# A batch is one window, so that there is a moment between windows to hit.
SLOW = {"WHISPER_BATCH_WINDOWS": "1", "WHISPER_THREADS": "1"}


def running_with(client: Client, job: str, windows: int) -> dict[str, Any]:
    """The job once so many windows are recorded, and not many more."""
    wait_until(lambda: client.job(job)["windows"]["done"] >= windows, f"{windows} windows", PATIENCE)
    found = client.job(job)
    assert found["status"] == "running", found
    return found


def events(process: Process, event: str) -> list[dict[str, Any]]:
    """The process's log lines of one event."""
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_killed_workers_windows_are_not_done_again(service: Service) -> None:
    clip = speech.long(200)
    client = Client(service.start("serve"))
    first = service.start("work", **SLOW)
    job = client.submit(clip.path)["id"]
    running_with(client, job, 3)
    first.kill()
    recorded = client.job(job)["windows"]["done"]

    second = service.start("work", **SLOW)
    done = client.ended(job)
    assert done["status"] == "succeeded", done
    assert done["windows"]["repeated"] == 0
    assert done["windows"]["done"] == done["windows"]["total"] >= 7
    assert second.metric("whisper_windows_total") == done["windows"]["total"] - recorded
    assert second.metric("whisper_windows_skipped_total") == recorded
    assert word_error_rate(clip.text, client.result(job, "text").text) < 0.25


def test_a_worker_told_to_stop_hands_its_job_back_at_once(service: Service) -> None:
    clip = speech.long(80)
    client = Client(service.start("serve"))
    first = service.start("work", **SLOW, WHISPER_CLAIM_LEASE_SECONDS="600")
    job = client.submit(clip.path)["id"]
    running_with(client, job, 1)
    assert first.terminate() == 0
    assert [line["outcome"] for line in events(first, "Left job")] == ["handed_back"]
    waiting = client.job(job)
    assert waiting["status"] == "queued"

    second = service.start("work")
    done = client.ended(job)
    assert done["status"] == "succeeded", done
    assert done["windows"]["repeated"] == 0
    assert second.metric("whisper_windows_skipped_total") == waiting["windows"]["done"] >= 1


def test_a_worker_told_to_stop_hands_all_its_claims_back(service: Service) -> None:
    clip = speech.long(40)
    client = Client(service.start("serve"))
    first = service.start("work", **SLOW, WHISPER_CLAIM_LEASE_SECONDS="600")
    jobs = [client.submit(clip.path)["id"] for _ in range(3)]
    wait_until(lambda: first.metric("whisper_worker_busy") == 3, "three claims", PATIENCE)
    wait_until(lambda: first.metric("whisper_windows_total") >= 1, "a window", PATIENCE)
    assert first.terminate() == 0
    outcomes = [line["outcome"] for line in events(first, "Left job")]
    assert len(outcomes) == 3
    assert "handed_back" in outcomes
    assert set(outcomes) <= {"handed_back", "succeeded"}
    before = [client.job(job) for job in jobs]
    assert {job["status"] for job in before} <= {"queued", "succeeded"}

    second = service.start("work")
    done = [client.ended(job) for job in jobs]
    assert [(job["status"], job["windows"]["repeated"]) for job in done] == [("succeeded", 0)] * 3
    recorded = sum(job["windows"]["done"] for job in before)
    assert second.metric("whisper_windows_total") == sum(job["windows"]["done"] for job in done) - recorded
    assert all(word_error_rate(clip.text, client.result(job, "text").text) < 0.25 for job in jobs)


def test_redis_lost_during_a_job_costs_no_job() -> None:
    clip, redis = speech.long(60), new_redis()
    with running.service(redis) as service:
        client = Client(service.start("serve"))
        service.start("work", **SLOW)
        job = client.submit(clip.path)["id"]
        running_with(client, job, 1)
        redis.server.stop()
        assert client.ended(job)["status"] == "succeeded"
        assert httpx.get(f"{client.api.url}/readyz").status_code == 200
        short = speech.long(5)
        with client.openai as api, short.path.open("rb") as audio:
            heard = api.audio.transcriptions.create(file=audio, model="tiny")
        assert word_error_rate(short.text, heard.text) < 0.3


def test_postgresql_lost_during_a_job_costs_no_window() -> None:
    clip, postgres = speech.long(90), new_postgres()
    with running.service(database=postgres) as service:
        client = Client(service.start("serve"))
        worker = service.start("work", **SLOW)
        job = client.submit(clip.path)["id"]
        running_with(client, job, 1)
        postgres.server.stop()
        # A window is done and cannot be recorded, and the lease (2 s) cannot be renewed: both go on trying.
        for event in ("Could not write, trying again", "Could not renew a claim, trying again"):
            wait_until(lambda event=event: bool(events(worker, event)), event, PATIENCE)  # type: ignore[misc]
        assert httpx.get(f"{client.api.url}/readyz").status_code == 503
        postgres.server.start()
        done = client.ended(job)
        assert done["status"] == "succeeded", done
        assert done["windows"]["repeated"] == 0
        assert worker.metric("whisper_windows_total") == done["windows"]["done"] == done["windows"]["total"] >= 3
        assert [line["attempt"] for line in events(worker, "Claimed job")] == [1]
        assert word_error_rate(clip.text, client.result(job, "text").text) < 0.25


def test_the_object_store_lost_during_a_job_costs_no_window() -> None:
    clip, objects = speech.long(60), new_s3()
    with running.service(objects=objects) as service:
        client = Client(service.start("serve"))
        worker = service.start("work", **SLOW)
        job = client.submit(clip.path)["id"]
        running_with(client, job, 1)
        objects.server.stop()
        # The windows go on into PostgreSQL; only the result has nowhere to go, and so has the next attempt's audio.
        event = "Handed back a job until the world has changed"
        wait_until(lambda: len(events(worker, event)) >= 2, event, PATIENCE)
        with client.http as http, clip.path.open("rb") as audio:
            refused = http.post("/v1/jobs", files={"file": audio})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        objects.server.start()
        done = client.ended(job)
        assert done["status"] == "succeeded", done
        assert done["windows"]["repeated"] == 0
        assert worker.metric("whisper_windows_total") == done["windows"]["done"] == done["windows"]["total"] >= 2
        assert word_error_rate(clip.text, client.result(job, "text").text) < 0.25


def test_a_cancelled_job_stops_at_the_next_window(service: Service) -> None:
    client = Client(service.start("serve"))
    worker = service.start("work", **SLOW)
    job = client.submit(speech.long(200).path)["id"]
    running_with(client, job, 1)
    with client.http as http:
        assert http.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
    wait_until(lambda: worker.metric("whisper_worker_busy") == 0, "the worker to let go")
    assert [line["outcome"] for line in events(worker, "Left job")] == ["dropped"]
    assert client.job(job)["status"] == "cancelled"
    assert worker.metric("whisper_windows_total") <= client.job(job)["windows"]["done"] + 1
    refused = client.result(job)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "cancelled")


def test_a_client_that_goes_away_stops_the_work(service: Service) -> None:
    api = service.start("serve", WHISPER_RETRY_SECONDS="1")
    worker = service.start("work", **SLOW)
    client = Client(api)
    body = httpx.Request(
        "POST",
        f"{api.url}/v1/audio/transcriptions",
        headers={"Authorization": f"Bearer {running.KEY}"},
        files={"file": speech.long(200).path.read_bytes()},
        data={"model": "tiny"},
    )
    body.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in body.headers.items())
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        sender = threading.Thread(
            target=connection.sendall, args=(f"POST {body.url.path} HTTP/1.1\r\n{head}\r\n".encode() + body.content,)
        )
        sender.start()
        sender.join(60)
        wait_until(lambda: worker.metric("whisper_worker_busy") == 1, "the worker to start", PATIENCE)
    wait_until(lambda: worker.metric("whisper_worker_busy") == 0, "the worker to let go", PATIENCE)
    assert [line["outcome"] for line in events(worker, "Left job")] == ["dropped"]
    with client.http as http:
        wait_until(
            lambda: not http.get("/v1/jobs").json()["data"], "what nobody came back for to be forgotten", PATIENCE
        )


def test_what_a_killed_api_left_is_swept_up(service: Service) -> None:
    clip = speech.long(5)
    killed, other = service.start("serve"), Client(service.start("serve"))
    broken: list[Exception] = []

    def ask() -> None:
        try:
            with Client(killed).openai as openai, clip.path.open("rb") as audio:
                openai.audio.transcriptions.create(file=audio, model="tiny")
        except Exception as error:
            broken.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    with other.http as http:
        wait_until(lambda: bool(http.get("/v1/jobs").json()["data"]), "the request to wait for a worker")
        killed.kill()
        asking.join(60)
        assert broken
        worker = service.start("work", WHISPER_SWEEP_SECONDS="0.5", WHISPER_SYNCHRONOUS_SECONDS="0.5")
        wait_until(lambda: not http.get("/v1/jobs").json()["data"], "the sweep", PATIENCE)
    assert [line["outcome"] for line in events(worker, "Left job")] == ["succeeded"]
    assert [path for path in (s3().data / service.env["WHISPER_S3_BUCKET"]).rglob("*") if path.is_file()] == []


def test_an_api_told_to_stop_drains(service: Service) -> None:
    clip = speech.long(5)
    api = service.start("serve", WHISPER_DRAIN_SECONDS="6", WHISPER_SHUTDOWN_SECONDS="240")
    client = Client(api)
    answers: list[str] = []

    def ask() -> None:
        with client.openai as openai, clip.path.open("rb") as audio:
            answers.append(openai.audio.transcriptions.create(file=audio, model="tiny").text)

    asking = threading.Thread(target=ask)
    asking.start()
    with client.http as http:
        wait_until(lambda: bool(http.get("/v1/jobs").json()["data"]), "the request to wait for a worker")
        assert "connection" not in http.get("/v1/models").headers
        api.process.terminate()
        wait_until(lambda: http.get("/readyz").status_code == 503, "the API to be unready")
        assert http.get("/readyz").json()["checks"] == {"process": "stopping"}
        late = http.get("/v1/models")
        assert (late.status_code, late.headers["connection"]) == (200, "close")
    wait_until(lambda: not answering(api.port), "the listener to close")
    assert api.process.poll() is None
    service.start("work")
    asking.join(PATIENCE)
    assert word_error_rate(clip.text, answers[0]) < 0.3
    assert api.process.wait(60) == 0


def test_a_job_waits_for_a_worker_and_nothing_is_lost(service: Service) -> None:
    clip = speech.long(5)
    client = Client(service.start("serve"))
    job = client.submit(clip.path)["id"]
    assert client.job(job)["status"] == "queued"
    service.start("work")
    assert client.ended(job)["status"] == "succeeded"


def test_logs_are_json_and_hold_neither_secrets_nor_transcripts(service: Service) -> None:
    clip = speech.long(20)
    api = service.start("serve", WHISPER_LOG_LEVEL="DEBUG")
    worker = service.start("work", WHISPER_LOG_LEVEL="DEBUG")
    client = Client(api)
    job = client.ended(client.submit(clip.path)["id"])
    text = client.result(job["id"], "text").text.strip()
    words = " ".join(text.split()[:3])
    for process in (api, worker):
        assert process.terminate() == 0
        log = process.log.read_text()
        assert all(json.loads(line)["event"] for line in log.splitlines())
        assert words not in log
        for secret in (running.KEY, service.env["WHISPER_S3_SECRET_KEY"], service.env["WHISPER_REDIS_URL"]):
            assert secret not in log
