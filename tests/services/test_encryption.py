"""Encrypted objects in a real service: nothing to read in the store's folder, everything to read through the API."""

from pathlib import Path

import pytest

from assets import speech
from clips import word_error_rate
from services.running import Client, Service
from services.servers import s3
from whisper_transcriber.objects.keyring import new_key

OLD, NEW = (f"{name}: {new_key().hex()}\n" for name in ("2026-05", "2026-11"))


def files(service: Service) -> list[Path]:
    return [path for path in (s3().data / service.env["WHISPER_S3_BUCKET"]).rglob("*") if path.is_file()]


@pytest.mark.timeout(300)
def test_the_store_s_folder_says_nothing_and_keys_change_while_it_serves(service: Service) -> None:
    clip = speech.long(20)
    service.env["WHISPER_OBJECTS_KEYS"] = OLD
    api, _worker = service.start("serve"), service.start("work")
    client = Client(api)
    job = client.submit(clip.path, model="tiny")["id"]
    assert client.ended(job)["status"] == "succeeded"
    heard = client.result(job, "text").text
    assert word_error_rate(clip.text, heard) < 0.25

    stored = [path.read_bytes() for path in files(service)]
    assert len(stored) >= 2, "the audio and the result"
    audio, words = clip.path.read_bytes(), max(heard.split(), key=len)
    for part in (audio[:16], audio[len(audio) // 2 :][:64], words.encode(), b"windows", b"language"):
        assert not [path for path, data in zip(files(service), stored, strict=True) if part in data], part

    keyless = service.start("serve", WHISPER_OBJECTS_KEYS="")
    refused = Client(keyless).result(job)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert f"jobs/{job}/result.json is encrypted, and this process has no key" in keyless.log.read_text()

    both = {"WHISPER_OBJECTS_KEYS": NEW + OLD}
    wrapped = service.run("objects", "rewrap", **both)
    assert wrapped.returncode == 0, wrapped.stderr
    assert "2 rewrapped, 0 current" in wrapped.stdout
    again = service.run("objects", "rewrap", **both)
    assert "0 rewrapped, 2 current" in again.stdout
    later = Client(service.start("serve", WHISPER_OBJECTS_KEYS=NEW))
    assert later.result(job, "text").text == heard
    copy = later.submit(clip.path, model="tiny")
    assert copy["reused_from"] == job, "a result is read with one key and written with another"
    assert later.result(copy["id"], "text").text == heard
    with later.http as http:
        assert http.delete(f"/v1/jobs/{job}").status_code == 204
        assert http.delete(f"/v1/jobs/{copy['id']}").status_code == 204
    assert files(service) == []


@pytest.mark.timeout(300)
def test_what_was_there_before_is_encrypted_afterwards(service: Service) -> None:
    clip = speech.long(5)
    plain, worker = Client(service.start("serve")), service.start("work")
    jobs = [plain.submit(clip.path, model="tiny", reuse="false")["id"] for _ in range(2)]
    for job in jobs:
        assert plain.ended(job)["status"] == "succeeded"
    worker.terminate()
    waiting = plain.submit(clip.path, model="tiny", reuse="false")["id"]
    heard, audio = plain.result(jobs[0], "text").text, clip.path.read_bytes()
    assert [path for path in files(service) if path.read_bytes() == audio]

    service.env["WHISPER_OBJECTS_KEYS"] = OLD
    strict = Client(service.start("serve"))
    refused = strict.result(jobs[0])
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "unreadable_object")
    assert refused.headers["x-should-retry"] == "false"
    assert "set WHISPER_OBJECTS_READ_UNENCRYPTED=true" in strict.api.log.read_text()
    lenient = {"WHISPER_OBJECTS_READ_UNENCRYPTED": "true"}
    moving = Client(service.start("serve", **lenient))
    assert moving.result(jobs[0], "text").text == heard
    first = service.run("objects", "encrypt")
    assert (first.returncode, first.stdout) == (2, "5 objects: 4 encrypted, 0 before, 1 later, 0 unknown\n"), (
        first.stderr
    )
    service.start("work", **lenient)
    assert moving.ended(waiting)["status"] == "succeeded", "its audio is not encrypted, its result is"
    second = service.run("objects", "encrypt")
    assert (second.returncode, second.stdout) == (0, "6 objects: 1 encrypted, 5 before, 0 later, 0 unknown\n")
    for job in (*jobs, waiting):
        assert strict.result(job, "text").text == heard
    assert not [path for path in files(service) if audio[100:116] in path.read_bytes()]


def test_what_is_wrong_with_keys_is_said_without_telling_them(service: Service) -> None:
    for text, says in ((f"one {'ab' * 32}", "key 1 is not `id: 64 hexadecimal digits`"), ("", "nothing is encrypted")):
        ended = service.run("objects", "rewrap", WHISPER_OBJECTS_KEYS=text)
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: WHISPER_OBJECTS_KEYS: ")
        assert says in ended.stderr
        assert "abab" not in ended.stderr
