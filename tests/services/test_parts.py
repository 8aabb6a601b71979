"""Long files over several workers: the transcript of one, whoever dies, and nobody who is short waits."""

import json
from pathlib import Path
from typing import Any

from assets import speech
from clips import word_error_rate
from services.running import PATIENCE, Client, Process, Service
from services.servers import s3, wait_until
from services.test_faults import SLOW, events

# Few minutes of audio make many parts.
SMALL = {"WHISPER_PART_SECONDS": "15", "WHISPER_CLAIMS": "2"}


def result(service: Service, job: str) -> bytes:
    """The result object of a job."""
    return (s3().data / service.env["WHISPER_S3_BUCKET"] / "jobs" / job / "result.json").read_bytes()


def windows(service: Service, job: str) -> list[dict[str, Any]]:
    """The windows in the result object of a job."""
    found: list[dict[str, Any]] = json.loads(result(service, job))["windows"]
    return found


def parts_of(worker: Process, job: str, event: str = "Claimed job") -> list[dict[str, Any]]:
    """The parts of a job in the worker's log, in order."""
    return [line for line in events(worker, event) if line["job"] == job and line["kind"] == "part"]


def test_two_workers_give_byte_for_byte_the_transcript_of_one(service: Service) -> None:
    clip = speech.long(100)
    client = Client(service.start("serve"))
    first = service.start("work", **SMALL)
    alone = client.ended(client.submit(clip.path, wordTimestamps="true")["id"])
    assert alone["status"] == "succeeded", alone
    assert len(parts_of(first, alone["id"])) >= 5
    assert word_error_rate(clip.text, client.result(alone["id"], "text").text) < 0.25

    second = service.start("work", **SMALL)
    shared = client.ended(client.submit(clip.path, wordTimestamps="true", reuse="false")["id"])
    assert shared["status"] == "succeeded", shared
    numbers = [{line["part"] for line in parts_of(worker, shared["id"])} for worker in (first, second)]
    assert all(numbers), "both took parts"
    assert not numbers[0] & numbers[1]
    assert numbers[0] | numbers[1] == {line["part"] for line in parts_of(first, alone["id"])}
    assert result(service, shared["id"]) == result(service, alone["id"])
    for job in (alone, shared):
        assert job["audio_seconds"] == job["processed_seconds"]
        assert job["windows"]["done"] == job["windows"]["total"] == len(windows(service, job["id"]))
        assert job["windows"]["repeated"] == 0
    kept = [path.name for path in (s3().data / service.env["WHISPER_S3_BUCKET"]).rglob("*") if path.is_file()]
    assert sorted(kept) == ["audio", "audio", "result.json", "result.json"]


def test_a_worker_killed_in_a_part_costs_only_what_was_being_computed(service: Service) -> None:
    clip = speech.long(130)
    env = {**SLOW, "WHISPER_PART_SECONDS": "60", "WHISPER_CLAIMS": "3"}
    client = Client(service.start("serve"))
    first = service.start("work", **env)
    job = client.submit(clip.path)["id"]
    wait_until(lambda: [line for line in events(first, "Left job") if line["outcome"] == "opened"] != [], "opening")
    wait_until(lambda: client.job(job)["windows"]["done"] >= 2, "two windows", PATIENCE)
    first.kill()
    recorded = client.job(job)["windows"]["done"]
    held = {line["part"] for line in parts_of(first, job)} - {line["part"] for line in parts_of(first, job, "Left job")}
    assert held, "it died in a part"

    second = service.start("work", **env)
    done = client.ended(job)
    assert done["status"] == "succeeded", done
    assert done["windows"]["repeated"] == 0
    assert second.metric("whisper_windows_total") == done["windows"]["total"] - recorded
    assert held <= {line["part"] for line in parts_of(second, job)}
    assert [line for line in events(second, "Claimed job") if line["kind"] == "open"] == []
    again = client.ended(client.submit(clip.path)["id"])["id"]
    assert windows(service, job) == windows(service, again)


def test_who_said_what_on_two_channels_survives_a_worker(service: Service, tmp_path: Path) -> None:
    """Two people talk at the same time; the worker is killed in the middle of their call."""
    people = (speech.long(70), speech.long(50, first=60))
    call = speech.call(*people, tmp_path / "call.wav")
    env = {**SLOW, "WHISPER_PART_SECONDS": "25"}
    client = Client(service.start("serve"))
    first = service.start("work", **env)
    job = client.submit(call, channels="speakers", wordTimestamps="true")["id"]
    wait_until(lambda: client.job(job)["windows"]["done"] >= 3, "three windows", PATIENCE)
    first.kill()
    recorded = client.job(job)
    assert recorded["status"] == "running", recorded

    second = service.start("work", **env)
    done = client.ended(job)
    assert done["status"] == "succeeded", done
    assert (done["audio_seconds"], done["windows"]["repeated"]) == (round(people[0].seconds, 3), 0)
    assert second.metric("whisper_windows_total") == done["windows"]["total"] - recorded["windows"]["done"]
    body = client.result(job, "verbose_json").json()
    for number, clip in enumerate(people, start=1):
        said = "".join(each["text"] for each in body["segments"] if each["channel"] == number)
        assert word_error_rate(clip.text, said) < 0.25
        words = [word["word"] for word in body["words"] if word["speaker"] == f"Speaker {number}"]
        assert word_error_rate(said, " ".join(words)) < 0.02
    assert "<v Speaker 2>" in client.result(job, "vtt").text


def test_a_clip_is_claimed_before_the_other_parts_of_a_long_file(service: Service) -> None:
    clip = speech.long(5)
    client = Client(service.start("serve"))
    worker = service.start("work", **SLOW, **SMALL)
    long = client.submit(speech.long(120).path)["id"]
    wait_until(lambda: client.job(long)["windows"]["done"] >= 1, "a window of the long file", PATIENCE)
    short = client.submit(clip.path)["id"]
    done, other = client.ended(short), client.job(long)
    assert done["status"] == "succeeded", done
    assert other["status"] == "running"
    assert client.ended(long)["status"] == "succeeded"
    claimed = [line["job"] for line in events(worker, "Claimed job")]
    assert long in claimed[claimed.index(short) + 1 :]
    assert word_error_rate(clip.text, client.result(short, "text").text) < 0.3
