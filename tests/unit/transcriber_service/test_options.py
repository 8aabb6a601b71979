"""Options of a transcription: however they are said, the job has them; what is wrong names its field."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from unit.transcriber_service.calls import CLIP, SYNC, claim, error
from unit.transcriber_service.conftest import KEY
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Failure
from whisper_transcriber.domain.options import Options, Vad

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
