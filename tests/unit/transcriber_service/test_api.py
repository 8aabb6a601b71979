"""The API's contract without a worker: shapes, errors, limits, and what is left behind."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from unit.transcriber_service.calls import CLIP, SYNC, claim, error, files, succeed
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Failure


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
