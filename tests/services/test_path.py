"""The whole path through real processes, servers and weights: a clip goes in, what was said comes out."""

import hashlib

import openai
import pytest
import srt

from assets import speech, weights
from clips import word_error_rate
from services.running import PATIENCE, Client
from services.servers import wait_until


def test_the_openai_client_hears_what_was_said(client: Client) -> None:
    clip = speech.long(20)
    with client.openai as api, clip.path.open("rb") as audio:
        heard = api.audio.transcriptions.create(file=audio, model="whisper-1")
    assert word_error_rate(clip.text, heard.text) < 0.25


def test_verbose_json_says_which_weights_heard_it(client: Client) -> None:
    clip = speech.long(20)
    with client.openai as api, clip.path.open("rb") as audio:
        heard = api.audio.transcriptions.create(
            file=audio, model="tiny", response_format="verbose_json", timestamp_granularities=["segment", "word"]
        )
    assert heard.duration == pytest.approx(clip.seconds, abs=0.2)
    assert heard.words
    assert heard.segments
    assert heard.model_extra is not None
    digest = hashlib.sha256((weights.tiny_en() / "model.bin").read_bytes()).hexdigest()
    assert heard.model_extra["model_digest"] == f"sha256:{digest}"
    assert heard.model_extra["engine"] == "ctranslate2"


def test_a_synchronous_request_leaves_nothing_behind(client: Client) -> None:
    clip = speech.long(5)
    with client.openai as api, clip.path.open("rb") as audio:
        api.audio.transcriptions.create(file=audio, model="tiny", response_format="text")
    with client.http as http:
        jobs = http.get("/v1/jobs", params={"limit": 100}).json()["data"]
    assert [job for job in jobs if job["status"] in ("queued", "running")] == []


def test_a_short_request_does_not_wait_for_a_long_job(client: Client) -> None:
    long = client.submit(speech.long(1200).path, model="tiny")["id"]
    wait_until(lambda: client.job(long)["windows"]["done"] >= 1, "the long job's first window", PATIENCE)
    clip = speech.long(5)
    with client.openai as api, clip.path.open("rb") as audio:
        heard = api.audio.transcriptions.create(file=audio, model="tiny", response_format="text")
    found = client.job(long)
    assert found["status"] == "running"
    assert found["progress"] < 90
    assert word_error_rate(clip.text, str(heard)) < 0.3
    with client.http as http:
        assert http.delete(f"/v1/jobs/{long}").status_code == 204


def test_a_job_gives_every_format(client: Client) -> None:
    clip = speech.long(20)
    job = client.submit(clip.path, model="tiny", wordTimestamps="true")
    assert job["status"] in ("queued", "running")
    done = client.ended(job["id"])
    assert done["status"] == "succeeded", done
    assert done["progress"] == 100
    assert done["audio_seconds"] == pytest.approx(clip.seconds, abs=0.2)
    assert done["language"] == "en"
    assert done["windows"]["done"] == done["windows"]["total"]
    assert done["real_time_factor"] > 0
    with client.http as http:
        bodies = {form: http.get(url).text for form, url in done["results"].items()}
    assert set(bodies) == {"json", "text", "verbose_json", "srt", "vtt"}
    assert word_error_rate(clip.text, bodies["text"]) < 0.25
    assert list(srt.parse(bodies["srt"]))
    assert bodies["vtt"].startswith("WEBVTT")
    assert '"words"' in bodies["verbose_json"]


def test_the_same_key_is_the_same_job_and_another_request_is_refused(client: Client) -> None:
    clip, other = speech.long(5), speech.long(20)
    first = client.submit(clip.path, key="once", model="tiny")
    assert client.submit(clip.path, key="once", model="tiny")["id"] == first["id"]
    with client.http as http, other.path.open("rb") as audio:
        refused = http.post("/v1/jobs", files={"file": audio}, headers={"Idempotency-Key": "once"})
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    "body", [b"", b"this is no audio", b"RIFF\x00\x00\x00\x00WAVE"], ids=["empty", "text", "header"]
)
def test_bad_audio_is_a_400_with_a_reason(client: Client, body: bytes) -> None:
    with client.openai as api, pytest.raises(openai.BadRequestError) as caught:
        api.audio.transcriptions.create(file=("audio.wav", body), model="tiny")
    assert caught.value.code == "invalid_audio"
    assert len(caught.value.message) > 20


def test_silence_is_an_empty_text(client: Client) -> None:
    silence = (
        b"RIFF\x24\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00"
    )
    with client.openai as api:
        heard = api.audio.transcriptions.create(
            file=("silence.wav", silence + b"data\x00\x7d\x00\x00" + bytes(32000)), model="tiny"
        )
    assert heard.text == ""


def test_a_deleted_job_is_gone_with_its_result(client: Client) -> None:
    job = client.ended(client.submit(speech.long(5).path)["id"])
    with client.http as http:
        assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204
        assert http.get(f"/v1/jobs/{job['id']}").status_code == 404
        assert http.get(f"/v1/jobs/{job['id']}/result").status_code == 404
        assert http.delete(f"/v1/jobs/{job['id']}").status_code == 404


def test_a_private_url_is_not_fetched(client: Client) -> None:
    with client.http as http:
        made = http.post("/v1/jobs", json={"source": {"http": {"url": f"{client.api.url}/livez"}}})
    assert made.status_code == 201
    job = client.ended(made.json()["id"])
    assert job["error"]["code"] == "fetch_failed"
    assert "not a public address" in job["error"]["message"]
    refused = client.result(job["id"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "fetch_failed")
