"""Hostile files through the running API and worker: the sender is told why, and the worker lives on."""

import re
from pathlib import Path

import pytest

from assets import speech
from services.running import Client, Process, Service
from unit.transcriber_core import hostile
from unit.transcriber_core.hostile import Bait, Refused
from unit.transcriber_core.media import RATE, samples_of

# Some of each kind: no audio, references, broken off, lies, bombs.
SENT = [
    "empty",
    "zip of a WAV",
    "a film without sound",
    "m3u8 to HTTP",
    "concat to a file",
    "MOV with its samples behind an alias",
    "half an MP4, its index last",
    "WAV of no length",
    "WAV at 2 GHz",
    "QuickTime, an index that unpacks to 2 GiB",
    "MP4, a table of 2^28 entries",
    "ID3 of 256 MB",
]


@pytest.fixture(scope="module")
def bait() -> Bait:
    return Bait(9, Path("/etc/passwd"), samples_of(speech.prompt("demo-congrats").path)[: RATE * 8])


@pytest.mark.parametrize("name", SENT)
def test_it_is_a_400_with_the_reason(name: str, shared: tuple[Service, Client, Process], bait: Bait) -> None:
    _, client, worker = shared
    file, right = hostile.ALL[name].made(bait), hostile.ALL[name].right
    with client.http as http:
        answer = http.post("/v1/audio/transcriptions", files={"file": ("a.wav", file)}, data={"model": "tiny"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_audio")
    assert isinstance(right, Refused)
    assert re.search(right.why, error["message"])
    assert worker.process.poll() is None


def test_what_could_be_decoded_of_a_file_that_breaks_off_is_transcribed(
    shared: tuple[Service, Client, Process], bait: Bait
) -> None:
    _, client, worker = shared
    with client.openai as api:
        half = ("a.webm", hostile.ALL["half a WebM"].made(bait))
        heard = api.audio.transcriptions.create(file=half, model="tiny", response_format="verbose_json")
    assert 2 < heard.duration < 5
    assert "congratulations" in heard.text.lower()
    assert worker.process.poll() is None
    log = worker.log.read_text()
    assert "Decoded only a part of the audio" in log
    assert "without a seccomp filter" not in log
