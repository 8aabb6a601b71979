"""OpenAI's files by its client: sent, listed, read, deleted, and seen by nobody else."""

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from unit.transcriber_service.calls import error, files
from whisper_transcriber.deps import Deps

LINES = b'{"custom_id": "1"}\n' * 3


async def test_a_file_comes_back_as_it_was_sent_until_it_is_deleted(client: openai.AsyncOpenAI, stored: Path) -> None:
    made = await client.files.create(file=("lines.jsonl", LINES), purpose="batch")
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(LINES), "lines.jsonl", "batch")
    assert made.expires_at == made.created_at + 30 * 86400
    assert await client.files.retrieve(made.id) == made
    assert (await client.files.content(made.id)).content == LINES
    assert (await client.files.delete(made.id)).deleted
    assert files(stored) == []
    with pytest.raises(openai.NotFoundError) as caught:
        await client.files.content(made.id)
    assert caught.value.code == "file_not_found"


async def test_files_are_listed_page_by_page(client: openai.AsyncOpenAI) -> None:
    names = ["a.jsonl", "b.jsonl", "c.jsonl"]
    for name in names:
        await client.files.create(file=(name, LINES), purpose="batch")
    await client.files.create(file=("clip.wav", b"sound"), purpose="user_data")
    listed = [each.filename async for each in client.files.list(limit=2, purpose="batch")]
    assert listed == names[::-1]
    assert [each.filename async for each in client.files.list(order="asc")] == [*names, "clip.wav"]


async def test_a_file_may_go_sooner(client: openai.AsyncOpenAI) -> None:
    made = await client.files.create(
        file=("a", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.expires_at == made.created_at + 3600


async def test_an_upload_that_is_complete_is_a_file(client: openai.AsyncOpenAI) -> None:
    upload = await client.uploads.upload_file_chunked(
        file=b"sound", filename="clip.wav", bytes=5, mime_type="audio/wav", purpose="user_data"
    )
    assert upload.file is not None
    assert (await client.files.content(upload.file.id)).content == b"sound"


@pytest.mark.parametrize(
    ("form", "status", "param"),
    [
        ({"data": {}}, 400, "purpose"),
        ({"data": {"purpose": "fine-tune"}}, 400, "purpose"),
        ({"data": {"purpose": "batch", "colour": "red"}}, 400, "colour"),
        ({"data": {"purpose": "batch", "expires_after[seconds]": "3600"}}, 400, "expires_after[anchor]"),
        (
            {"data": {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "1"}},
            400,
            "expires_after[seconds]",
        ),
        ({"data": {"purpose": ["batch", "batch"]}}, 400, "purpose"),
        ({"data": {"purpose": "user_data"}, "files": {"file": ("a", b"x" * 1001)}}, 413, "file"),
    ],
)
async def test_what_is_refused_leaves_nothing(
    http: httpx.AsyncClient, stored: Path, deps: Deps, form: dict[str, Any], status: int, param: str
) -> None:
    answer = await http.post("/v1/files", **{"files": {"file": ("a.jsonl", LINES)}, **form})
    assert (answer.status_code, error(answer)["param"]) == (status, param), answer.text
    assert files(stored) == []
    assert (await http.get("/v1/files")).json()["data"] == []


async def test_another_tenants_file_is_not_there(http: httpx.AsyncClient, client: openai.AsyncOpenAI) -> None:
    made = await client.files.create(file=("a", b"x"), purpose="user_data")
    key = (await http.post("/v1/admin/keys", json={"name": "b", "tenant": "b", "scopes": ["jobs"]})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = await http.request(method, f"/v1/files/{made.id}{path}", headers=headers)
        assert (answer.status_code, error(answer)["code"]) == (404, "file_not_found")
    assert (await http.get("/v1/files", headers=headers)).json()["data"] == []
    assert (await http.get(f"/v1/files/{made.id}")).status_code == 200
