"""The API's contract without a worker: shapes, errors, limits, and what is left behind."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import openai
import pytest

from unit.transcriber_service.conftest import KEY
from whisper_transcriber.bell.port import WORK, ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.job import Claim, Failure
from whisper_transcriber.domain.options import Options, Vad
from whisper_transcriber.domain.transcript import Segment, WindowResult
from whisper_transcriber.domain.window import Window

HEARD = [WindowResult(Window(0, 0, 2), "en", 0.9, (Segment(0.5, 1.5, " Hello.", (1,), 0.0, -0.1, 1.0, 0.0),))]
CLIP = {"file": ("clip.wav", b"sound")}
SYNC = "/v1/audio/transcriptions"


def error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0
    return dict(body["error"])


async def claim(deps: Deps) -> Claim:
    async with deps.bell.listen(WORK) as ear:
        while (claimed := await deps.store.claim("worker", 60)) is None:
            await ear.heard(60)
    return claimed


async def succeed(deps: Deps) -> UUID:
    """Do what a worker does, but for the listening."""
    claimed = await claim(deps)
    about = About("transcribe", "en", 2.0, "base", "sha256:1", "ctranslate2")
    await results.write(deps.objects, claimed.job.id, about, HEARD)
    await deps.store.succeed(claimed, "en", 2.0)
    return claimed.job.id


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_synchronous_request_is_answered_and_forgotten(
    http: httpx.AsyncClient, deps: Deps, stored: Path
) -> None:
    answer, _ = await asyncio.gather(http.post(SYNC, files=CLIP, data={"model": "whisper-1"}), succeed(deps))
    assert answer.json()["text"] == "Hello."
    assert await deps.store.list(9) == []
    assert files(stored) == []


async def test_a_failed_synchronous_request_says_why(http: httpx.AsyncClient, deps: Deps, stored: Path) -> None:
    async def fail() -> None:
        await deps.store.fail(await claim(deps), Failure("invalid_audio", "There is no audio stream."))

    answer, _ = await asyncio.gather(http.post(SYNC, files=CLIP), fail())
    assert answer.status_code == 400
    assert error(answer)["code"] == "invalid_audio"
    assert files(stored) == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "pdf"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"temperature": "2"}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"language": "klingon"}, "language"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities[]"),
        ({"timestamp_granularities[]": "letter", "response_format": "verbose_json"}, "timestamp_granularities[]"),
        ({"stream": "maybe"}, "stream"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"stream": "true", "channels": "speakers"}, "stream"),
        ({"channels": "left"}, "channels"),
        ({"include[]": "everything"}, "include[]"),
        ({"include[]": "logprobs", "response_format": "text"}, "include[]"),
        ({"known_speaker_names[]": "agent"}, "known_speaker_names"),
        ({"chunking_strategy": "none"}, "chunking_strategy"),
        ({"chunking_strategy": "[1]"}, "chunking_strategy"),
        ({"chunking_strategy": '{"type": "other"}'}, "chunking_strategy.type"),
        ({"chunking_strategy": '{"type": "server_vad", "threshold": 2}'}, "chunking_strategy.threshold"),
        ({"chunking_strategy[type]": "server_vad", "chunking_strategy": "auto"}, "chunking_strategy"),
        ({"chunking_strategy[type]": "server_vad", "chunking_strategy[speed]": "1"}, "chunking_strategy.speed"),
        ({"chunking_strategy[threshold]": "0.5"}, "chunking_strategy.type"),
        ({"languages[]": "klingon"}, "languages"),
        ({"languages[]": "fr", "language": "de"}, "languages"),
        ({"keywords[]": "x" * 101}, "keywords.0"),
        ({"keywords[]": ["x" * 99] * 5}, "keywords"),
        ({"hotwords": "x"}, "hotwords"),
    ],
)
async def test_a_wrong_parameter_is_a_400_that_names_it(
    http: httpx.AsyncClient, stored: Path, fields: dict[str, Any], param: str
) -> None:
    answer = await http.post(SYNC, files=CLIP, data=fields)
    assert answer.status_code == 400
    assert error(answer)["param"] == param
    assert files(stored) == []


async def test_an_unknown_model_is_a_404(http: httpx.AsyncClient) -> None:
    answer = await http.post(SYNC, files=CLIP, data={"model": "large"})
    assert answer.status_code == 404
    assert error(answer)["code"] == "model_not_found"


@pytest.mark.parametrize("path", [SYNC, "/v1/jobs"])
async def test_a_large_file_is_a_413_and_not_kept(http: httpx.AsyncClient, stored: Path, path: str) -> None:
    answer = await http.post(path, files={"file": ("clip.wav", bytes(1001))})
    assert answer.status_code == 413
    assert error(answer)["code"] == "file_too_large"
    assert files(stored) == []
    assert (await http.post("/v1/jobs", files={"file": ("clip.wav", bytes(1000))})).status_code == 201


@pytest.mark.parametrize("path", [SYNC, "/v1/jobs"])
async def test_a_form_without_a_file_is_a_400(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.post(path, files={"model": (None, b"base")})
    assert answer.status_code == 400
    assert error(answer)["param"] == "file"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", SYNC, 405), ("GET", f"/v1/jobs/{UUID(int=0)}", 404), ("GET", "/v1/jobs/x", 400)],
)
async def test_every_error_has_openais_body(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    error(answer)


async def test_a_bug_is_a_500_with_a_body(http: httpx.AsyncClient, deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(deps.store), "list")
    answer = await http.get("/v1/jobs")
    assert answer.status_code == 500
    assert error(answer)["code"] == "internal_error"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic the-key", "Bearer"])
async def test_only_the_key_opens_v1(http: httpx.AsyncClient, header: str | None) -> None:
    http.headers.pop("authorization")
    answer = await http.get("/v1/models", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert error(answer)["type"] == "authentication_error"
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await http.get(path)).status_code == 200


async def test_a_job_goes_from_queued_to_its_result(http: httpx.AsyncClient, deps: Deps) -> None:
    made = await http.post("/v1/jobs", files=CLIP, data={"model": "b", "language": "German", "priority": "7"})
    assert made.status_code == 201
    job = made.json()
    assert (job["object"], job["status"], job["model"], job["language"]) == (
        "transcription.job",
        "queued",
        "base",
        "de",
    )
    assert (job["progress"], job["results"], job["error"]) == (0, {}, None)
    early = await http.get(f"/v1/jobs/{job['id']}/result")
    assert (early.status_code, error(early)["code"]) == (425, "not_finished")
    assert str(await succeed(deps)) == job["id"]
    done = (await http.get(f"/v1/jobs/{job['id']}")).json()
    assert (done["status"], done["progress"], done["audio_seconds"]) == ("succeeded", 100, 2.0)
    answers = {form: await http.get(url) for form, url in done["results"].items()}
    assert answers["text"].text.strip() == "Hello."
    assert answers["json"].json()["text"] == "Hello."
    assert "00:00:00,500 --> 00:00:01,500" in answers["srt"].text
    assert answers["vtt"].text.startswith("WEBVTT")
    assert answers["verbose_json"].json()["model_digest"] == "sha256:1"
    wrong = await http.get(f"/v1/jobs/{job['id']}/result?format=pdf")
    assert (wrong.status_code, error(wrong)["param"]) == (400, "format")


async def test_a_job_by_url(http: httpx.AsyncClient) -> None:
    body = {"source": {"http": {"url": "http://a/b"}}, "wordTimestamps": True, "task": "translate"}
    made = await http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    again = await http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    other = await http.post("/v1/jobs", json=body | {"task": "transcribe"}, headers={"Idempotency-Key": "k"})
    assert (made.status_code, again.status_code, other.status_code) == (201, 200, 422)
    assert made.json()["id"] == again.json()["id"]
    assert error(other)["code"] == "idempotency_mismatch"


async def test_a_repeated_upload_is_not_kept_twice(http: httpx.AsyncClient, stored: Path) -> None:
    for _ in range(2):
        await http.post("/v1/jobs", files=CLIP, headers={"Idempotency-Key": "k"})
    assert len(files(stored)) == 1


SERVER_VAD = {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 700, "prefix_padding_ms": 0}
ASKED = Options(hotwords=("Comedian Mail", "Digium"), languages=("en", "fr"), vad=Vad(0.6, 700, 0))


@pytest.mark.parametrize(
    "fields",
    [
        {"chunking_strategy": json.dumps(SERVER_VAD)},
        {f"chunking_strategy[{name}]": str(value) for name, value in SERVER_VAD.items()},
    ],
)
@pytest.mark.parametrize(
    ("path", "keywords"), [(SYNC, "keywords[]"), ("/v1/jobs", "keywords[]"), ("/v1/jobs", "hotwords[]")]
)
async def test_options_of_a_form_are_those_of_the_job(
    http: httpx.AsyncClient, deps: Deps, path: str, keywords: str, fields: dict[str, str]
) -> None:
    data = {keywords: ["Comedian Mail", " Digium "], "languages[]": ["English", "fr"], **fields}
    posting = asyncio.create_task(http.post(path, files=CLIP, data=data))
    claimed = await claim(deps)
    assert claimed.job.request.options == ASKED
    await deps.store.fail(claimed, Failure("invalid_audio", "It is none."))
    await deps.bell.ring(ended(claimed.job.id))
    assert (await posting).status_code == (400 if path == SYNC else 201)


async def test_the_openai_client_says_options_in_a_way_that_is_understood(http: httpx.AsyncClient, deps: Deps) -> None:
    client = openai.AsyncOpenAI(base_url="http://api/v1", api_key=KEY, http_client=http, max_retries=0)
    asking = client.audio.transcriptions.create(
        model="base",
        file=("clip.wav", b"sound"),
        chunking_strategy={"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 700, "prefix_padding_ms": 0},
        extra_body={"keywords": ["Comedian Mail", "Digium"], "languages": ["en", "fr"]},
    )
    posting = asyncio.create_task(asking)
    claimed = await claim(deps)
    assert claimed.job.request.options == ASKED
    await deps.store.fail(claimed, Failure("invalid_audio", "It is none."))
    await deps.bell.ring(ended(claimed.job.id))
    with pytest.raises(openai.BadRequestError):
        await posting


@pytest.mark.parametrize("names", [("chunkingStrategy", "keywords"), ("chunking_strategy", "hotwords")])
async def test_options_of_a_json_body_are_those_of_the_job(
    http: httpx.AsyncClient, deps: Deps, names: tuple[str, str]
) -> None:
    strategy, keywords = names
    body = {"source": {"http": {"url": "http://a/b"}}, "languages": ["en", "fr"]}
    body |= {strategy: SERVER_VAD, keywords: ["Comedian Mail", "Digium"]}
    assert (await http.post("/v1/jobs", json=body)).status_code == 201
    assert (await claim(deps)).job.request.options == ASKED


async def test_automatic_chunking_is_the_services_own(http: httpx.AsyncClient, deps: Deps) -> None:
    assert (await http.post("/v1/jobs", files=CLIP, data={"chunking_strategy": "auto"})).status_code == 201
    assert (await claim(deps)).job.request.options == Options()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "source"),
        ({"source": {"http": {}}}, "source.http.url"),
        ({"source": {"ftp": {"url": "x"}}}, "source.ftp"),
        ({"source": {"http": {"url": "x"}}, "colour": 1}, "colour"),
        ({"source": {"http": {"url": "x"}}, "priority": 1000}, "priority"),
        ({"source": {"http": {"url": "x"}}, "task": "sing"}, "task"),
        ({"source": {"http": {"url": "x"}}, "keywords": ["a"], "hotwords": ["b"]}, "hotwords"),
        ({"source": {"http": {"url": "x"}}, "keywords": "a"}, "keywords"),
    ],
)
async def test_a_wrong_body_names_the_field(http: httpx.AsyncClient, body: dict[str, Any], param: str) -> None:
    answer = await http.post("/v1/jobs", json=body)
    assert answer.status_code == 400
    assert error(answer)["param"] == param


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
async def test_a_body_that_is_no_json_object_is_a_400(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error(answer)


async def test_jobs_are_listed_in_pages(http: httpx.AsyncClient) -> None:
    ids = [(await http.post("/v1/jobs", files=CLIP)).json()["id"] for _ in range(3)][::-1]
    first = (await http.get("/v1/jobs?limit=2")).json()
    rest = (await http.get(f"/v1/jobs?limit=2&after={first['last_id']}")).json()
    assert [job["id"] for job in first["data"] + rest["data"]] == ids
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert (await http.get("/v1/jobs?status=failed")).json()["data"] == []


async def test_cancel_and_delete(http: httpx.AsyncClient, stored: Path) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    assert (await http.post(f"/v1/jobs/{job}/cancel")).json()["status"] == "cancelled"
    assert (await http.delete(f"/v1/jobs/{job}")).status_code == 204
    assert (await http.get(f"/v1/jobs/{job}")).status_code == 404
    assert files(stored) == []


async def test_models_are_listed_under_all_their_names(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/v1/models")).json()
    assert [model["id"] for model in listed["data"]] == ["base", "b", "tiny.en", "whisper-1"]
    assert (await http.get("/v1/models/b")).json()["object"] == "model"
    assert (await http.get("/v1/models/whisper-1")).json()["id"] == "whisper-1"
    assert (await http.get("/v1/models/x/y")).status_code == 404


async def test_metrics_tell_the_queue(http: httpx.AsyncClient) -> None:
    await http.post("/v1/jobs", files=CLIP)
    text = (await http.get("/metrics")).text
    assert 'whisper_queue_jobs{state="queued"} 1.0' in text
    assert 'whisper_queue_claims{state="claimable"} 1.0' in text
    assert 'whisper_queue_claims{state="claimed"} 0.0' in text
    for name in ("unopened_jobs 1.0", "backlog_seconds 0.0", "in_flight_seconds 0.0"):
        assert f"whisper_queue_{name}" in text
    assert 'whisper_http_requests_total{method="POST",route="/v1/jobs",status="201"} 1.0' in text


async def test_the_openapi_document_is_whole(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert {SYNC, "/v1/audio/translations", "/v1/jobs", "/v1/jobs/{job_id}/result", "/v1/models"} <= set(
        document["paths"]
    )
    form = document["paths"][SYNC]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert "response_format" in form["properties"]
