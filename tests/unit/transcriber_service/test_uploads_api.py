"""Files in pieces: tus by its protocol, OpenAI's uploads by its client, and jobs made of them."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from unit.transcriber_service.calls import claim, error, files
from unit.transcriber_service.conftest import KEY
from whisper_transcriber.api import tus
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.worker.sweep import sweep

AUDIO = bytes(range(256)) * 3
PATCH = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}


async def begun(http: httpx.AsyncClient, size: int = len(AUDIO)) -> str:
    answer = await http.post("/v1/tus", headers={"Upload-Length": str(size), "Upload-Metadata": "filename YQ=="})
    assert answer.status_code == 201, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    return str(answer.headers["location"])


async def sent(http: httpx.AsyncClient, place: str, offset: int, body: Any, **headers: str) -> httpx.Response:
    given = {
        **PATCH,
        "Upload-Offset": str(offset),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return await http.patch(place, content=body, headers=given)


async def heard(deps: Deps) -> bytes:
    """The audio of the job that is next."""
    job = (await claim(deps)).job
    assert job.request.sha256 == hashlib.sha256(AUDIO).hexdigest()
    return b"".join([chunk async for chunk in deps.objects.get(f"jobs/{job.id}/audio")])


async def test_a_file_by_tus_becomes_a_job(
    http: httpx.AsyncClient, deps: Deps, monkeypatch: pytest.MonkeyPatch, stored: Path
) -> None:
    monkeypatch.setattr(tus, "_SEGMENT", 100)
    place = await begun(http)

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, 500, 50):
            yield AUDIO[start : start + 50]

    first = await sent(http, place, 0, slowly())
    assert (first.status_code, first.headers["upload-offset"]) == (204, "500")
    assert len(files(stored)) == 5
    told = await http.head(place)
    assert (told.headers["upload-offset"], told.headers["upload-length"]) == ("500", str(len(AUDIO)))
    assert (told.headers["cache-control"], told.headers["upload-metadata"]) == ("no-store", "filename YQ==")
    name = place.rpartition("/")[2]
    early = await http.post("/v1/jobs", json={"source": {"upload": {"id": name}}})
    assert (early.status_code, error(early)["code"]) == (400, "upload_not_completed")
    assert (await sent(http, place, 500, AUDIO[500:])).status_code == 204
    assert (await http.get(f"/v1/uploads/{name}")).json()["status"] == "completed"
    made = await http.post("/v1/jobs", json={"source": {"upload": {"id": name}}})
    assert made.status_code == 201, made.text
    assert await heard(deps) == AUDIO


async def test_a_client_that_went_away_goes_on_where_it_was(http: httpx.AsyncClient, deps: Deps) -> None:
    place = await begun(http)
    headers = {**PATCH, "upload-offset": "0", "authorization": f"Bearer {KEY}"}
    scope = {
        "type": "http", "method": "PATCH", "path": place, "raw_path": b"", "query_string": b"", "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http", "server": ("api", 80), "client": ("c", 1),
    }  # fmt: skip
    coming: list[Any] = [{"type": "http.request", "body": AUDIO[:300], "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(_message: Any) -> None:
        return None

    await create_app(deps)(scope, receive, send)
    assert (await http.head(place)).headers["upload-offset"] == "300"
    assert (await sent(http, place, 300, AUDIO[300:])).headers["upload-offset"] == str(len(AUDIO))


async def test_what_tus_forbids_is_refused(http: httpx.AsyncClient, stored: Path) -> None:
    place = await begun(http)
    for offset, body, headers, status in (
        (1, AUDIO, {}, 409),
        (0, AUDIO + b"x", {}, 413),
        (0, AUDIO, {"Content_Type": "audio/wav"}, 415),
        (0, AUDIO, {"Upload_Checksum": "crc32 AA=="}, 400),
        (0, AUDIO, {"Upload_Checksum": "sha1 " + base64.b64encode(hashlib.sha1(b"x").digest()).decode()}, 460),
    ):
        answer = await sent(http, place, offset, body, **headers)
        assert answer.status_code == status, answer.text
        assert (await http.head(place)).headers["upload-offset"] == "0"
    good = "sha1 " + base64.b64encode(hashlib.sha1(AUDIO).digest()).decode()
    assert (await sent(http, place, 0, AUDIO, Upload_Checksum=good)).status_code == 204
    assert (await http.post("/v1/tus", headers={"Upload-Length": "1001"})).status_code == 413
    assert (await http.post("/v1/tus", headers={"Upload-Length": "-1"})).status_code == 400
    assert (await http.delete(place)).status_code == 204
    assert (await http.head(place)).status_code == 404
    assert files(stored) == []
    assert (await http.options("/v1/tus")).headers["tus-max-size"] == "1000"


@pytest.mark.parametrize("metadata", ["file name YQ==", "filename YQ", "filename ???", ",", "a YQ==,a YQ=="])
async def test_metadata_that_nobody_could_read_is_refused(http: httpx.AsyncClient, metadata: str) -> None:
    answer = await http.post("/v1/tus", headers={"Upload-Length": "9", "Upload-Metadata": metadata})
    assert (answer.status_code, error(answer)["param"]) == (400, "Upload-Metadata")


@pytest.mark.parametrize("metadata", ["filename YQ==, private", "a YQ==,b"])
async def test_metadata_may_have_names_without_a_value(http: httpx.AsyncClient, metadata: str) -> None:
    answer = await http.post("/v1/tus", headers={"Upload-Length": "9", "Upload-Metadata": metadata})
    assert (await http.head(answer.headers["location"])).headers["upload-metadata"] == metadata


async def test_the_openai_client_uploads_in_parts(http: httpx.AsyncClient, deps: Deps) -> None:
    client = openai.AsyncOpenAI(base_url="http://api/v1", api_key=KEY, http_client=http, max_retries=0)
    done = await client.uploads.upload_file_chunked(
        file=AUDIO, bytes=len(AUDIO), filename="a.wav", mime_type="audio/wav", purpose="user_data", part_size=200
    )
    assert done.status == "completed"
    assert done.file is not None
    made = await http.post("/v1/jobs", json={"source": {"upload": {"id": done.file.id}}})
    assert made.status_code == 201, made.text
    assert await heard(deps) == AUDIO
    with pytest.raises(openai.BadRequestError):
        await client.uploads.cancel(done.id)


async def test_parts_go_in_the_order_that_is_asked_for(http: httpx.AsyncClient, deps: Deps) -> None:
    client = openai.AsyncOpenAI(base_url="http://api/v1", api_key=KEY, http_client=http, max_retries=0)
    upload = await client.uploads.create(bytes=len(AUDIO), filename="a", mime_type="audio/wav", purpose="user_data")
    late = await client.uploads.parts.create(upload.id, data=AUDIO[300:])
    early = await client.uploads.parts.create(upload.id, data=AUDIO[:300])
    with pytest.raises(openai.APIStatusError) as caught:
        await client.uploads.parts.create(upload.id, data=b"x")
    assert caught.value.status_code == 413
    for ids, md5 in (([early.id], None), ([early.id, early.id], None), ([early.id, late.id], "00")):
        with pytest.raises(openai.BadRequestError):
            await client.uploads.complete(upload.id, part_ids=ids, md5=md5 or openai.omit)
    md5 = hashlib.md5(AUDIO).hexdigest()
    done = await client.uploads.complete(upload.id, part_ids=[early.id, late.id], md5=md5)
    assert done.file is not None
    await http.post("/v1/jobs", json={"source": {"upload": {"id": upload.id}}})
    assert await heard(deps) == AUDIO


async def test_an_upload_goes_when_its_time_is_over(http: httpx.AsyncClient, deps: Deps, stored: Path) -> None:
    place = await begun(http)
    await sent(http, place, 0, AUDIO[:10])
    assert isinstance(deps.store, MemoryStore)
    [file] = deps.store.files.files.values()
    await sweep(deps)
    assert len(files(stored)) == 1
    deps.store.files.files[file.id] = replace(file, expires_at=file.created_at)
    assert (await http.head(place)).status_code == 404
    await sweep(deps)
    assert files(stored) == []
    assert deps.store.files.files == {}
