"""Keys over HTTP: scopes, limits, and tenants that cannot see each other."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from unit.transcriber_service.calls import CLIP, claim, error
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.webhooks import Webhook
from whisper_transcriber.store.port import Facts

UPLOAD = {"bytes": 5, "filename": "a", "purpose": "user_data", "mime_type": "audio/wav"}
SHARED = {"model"}  # path parameters that belong to no tenant


async def key(http: httpx.AsyncClient, **fields: Any) -> dict[str, str]:
    """Headers with a new key."""
    answer = await http.post("/v1/admin/keys", json={"name": "k", **fields})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def test_a_key_opens_its_scopes_and_nothing_else(http: httpx.AsyncClient) -> None:
    jobs = await key(http, scopes=["jobs"])
    assert (await http.get("/v1/jobs", headers=jobs)).status_code == 200
    assert (await http.get("/v1/models", headers=jobs)).status_code == 200
    for method, path in (
        ("POST", "/v1/audio/transcriptions"),
        ("GET", "/v1/admin/keys"),
    ):
        answer = await http.request(method, path, headers=jobs)
        assert (answer.status_code, error(answer)["code"]) == (403, "missing_scope"), path
    assert (await http.get("/internal/demand", headers=jobs)).status_code == 403
    transcribe = await key(http, scopes=["transcribe"])
    assert (await http.get("/v1/jobs", headers=transcribe)).status_code == 403
    assert (await http.get("/v1/admin/keys", headers=await key(http, scopes=["admin"]))).status_code == 200


async def test_a_key_is_shown_once_and_ends_when_it_is_revoked(http: httpx.AsyncClient) -> None:
    made = (await http.post("/v1/admin/keys", json={"name": "phone", "requests_per_minute": 5})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await http.get("/v1/jobs", headers=headers)).status_code == 200
    listed = await http.get("/v1/admin/keys")
    assert made["key"] not in listed.text
    assert [each["start"] for each in listed.json()["data"]] == [made["key"][:7]]
    assert (await http.delete(f"/v1/admin/keys/{made['id']}")).json()["revoked_at"]
    refused = await http.get("/v1/jobs", headers=headers)
    assert (refused.status_code, error(refused)["code"]) == (401, "invalid_api_key")
    assert (await http.delete(f"/v1/admin/keys/{uuid4()}")).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [{"scopes": []}, {"scopes": ["root"]}, {"tenant": "a b"}, {"expires_at": 1}, {"name": ""}, {"requests": 1}],
)
async def test_a_key_that_makes_no_sense_is_a_400(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    answer = await http.post("/v1/admin/keys", json={"name": "k", **fields})
    assert answer.status_code == 400
    error(answer)


async def test_too_many_requests_are_a_429_that_says_when(http: httpx.AsyncClient) -> None:
    limited = await key(http, requests_per_minute=2)
    answers = [await http.get("/v1/jobs", headers=limited) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"
    assert error(answers[2])["type"] == "rate_limit_error"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    assert (await http.get("/v1/jobs")).status_code == 200


async def test_audio_that_is_used_up_is_a_429_until_midnight(http: httpx.AsyncClient, deps: Deps) -> None:
    limited = await key(http, audio_seconds_per_day=30)
    first = await http.post("/v1/jobs", files=CLIP, headers=limited)
    assert first.headers["x-ratelimit-remaining-audio-seconds"] == "30"
    await deps.store.learn(await claim(deps), Facts(audio_seconds=30.0))
    for path in ("/v1/jobs", "/v1/audio/transcriptions"):
        answer = await http.post(path, files=CLIP, headers=limited)
        assert (answer.status_code, error(answer)["code"]) == (429, "insufficient_quota")
        assert 1 <= int(answer.headers["retry-after"]) <= 86400
    assert (await http.get("/v1/jobs", headers=limited)).status_code == 200


async def test_no_endpoint_shows_what_is_another_tenants(http: httpx.AsyncClient, deps: Deps) -> None:
    """Every operation of the OpenAPI document that names something: new ones are tried as they come."""
    ours, theirs = await key(http, tenant="a"), await key(http, tenant="b", scopes=["jobs", "transcribe", "webhooks"])
    hook = {"webhook": json.dumps({"url": "https://receiver.example/"})}
    hooked = (await http.post("/v1/jobs", files=CLIP, data=hook, headers=ours)).json()["id"]
    await deps.store.cancel(UUID(hooked))
    (delivery,) = await deps.store.hooks.of(UUID(hooked))
    endpoint = await deps.store.hooks.add(uuid4(), "a", Webhook("https://receiver.example/"))
    assert endpoint is not None
    job = (await http.post("/v1/jobs", files=CLIP, headers=ours)).json()["id"]
    upload = (await http.post("/v1/uploads", json=UPLOAD, headers=ours)).json()["id"]
    lines = {"file": ("a.jsonl", b"{}")}
    file = (await http.post("/v1/files", headers=ours, files=lines, data={"purpose": "batch"})).json()["id"]
    asked = {"input_file_id": file, "endpoint": "/v1/audio/transcriptions", "completion_window": "24h"}
    batch = (await http.post("/v1/batches", headers=ours, json=asked)).json()["id"]
    known = {"job_id": job, "upload_id": upload, "delivery_id": str(delivery.id), "endpoint_id": str(endpoint.id)}
    known |= {"file_id": file, "batch_id": batch}
    tried = 0
    for path, operations in (await http.get("/openapi.json")).json()["paths"].items():
        names = {
            each["name"] for verb in operations.values() for each in verb.get("parameters", ()) if each["in"] == "path"
        }
        if not names or names <= SHARED:
            continue
        for method in operations:
            if path.startswith("/v1/admin/"):
                answer = await http.request(
                    method, path.format(**dict.fromkeys(names, uuid4())), headers=theirs, json={}
                )
                assert answer.status_code == 403, (method, path)
                continue
            assert names <= known.keys(), f"make one of these for tenant a: {names}"
            tus = {"Upload-Offset": "0", **theirs}
            there = {**known, "job_id": hooked} if "delivery_id" in names else known
            answer = await http.request(
                method, path.format(**there), headers=tus, json={} if "endpoint_id" in names else {"part_ids": ["x"]}
            )
            assert answer.status_code == 404, (method, path, answer.text)
            tried += 1
    assert tried >= 24
    by_id = {"source": {"upload": {"id": upload}}}
    assert (await http.post("/v1/jobs", json=by_id, headers=theirs)).status_code == 404
    assert (await http.get(f"/v1/uploads/{upload}", headers=ours)).json()["status"] == "pending"
    assert (await http.get("/v1/jobs", headers=theirs)).json()["data"] == []
    assert (await http.get(f"/v1/jobs?after={job}", headers=theirs)).json()["data"] == []
    assert (await http.get(f"/v1/jobs/{job}", headers=ours)).json()["status"] == "queued"
    assert (await http.post("/v1/jobs", files=CLIP, headers=theirs)).json()["reused_from"] is None


async def test_the_same_idempotency_key_is_another_job_in_another_tenant(http: httpx.AsyncClient) -> None:
    made = [
        (await http.post("/v1/jobs", files=CLIP, headers={**await key(http, tenant=tenant), "Idempotency-Key": "k"}))
        for tenant in ("a", "b", "a")
    ]
    assert [answer.status_code for answer in made] == [201, 201, 200]
    assert made[0].json()["id"] == made[2].json()["id"] != made[1].json()["id"]


async def test_without_authentication_nobody_administers(deps: Deps) -> None:
    open_ = replace(deps, settings=deps.settings.model_copy(update={"api_key": type(deps.settings.api_key)("")}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(open_)), base_url="http://api") as http:
        assert (await http.get("/v1/jobs")).status_code == 200
        assert (await http.get("/internal/demand")).status_code == 200
        assert (await http.get("/v1/admin/keys")).status_code == 403


async def test_pages_of_the_origins_that_are_set_may_call(deps: Deps) -> None:
    settings = deps.settings.model_copy(update={"cors_origins": ("https://app.example.com",)})
    transport = httpx.ASGITransport(create_app(replace(deps, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        asks = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
        good = await http.options("/v1/jobs", headers={"Origin": "https://app.example.com", **asks})
        assert good.status_code == 200
        assert good.headers["access-control-allow-origin"] == "https://app.example.com"
        bad = await http.options("/v1/jobs", headers={"Origin": "https://evil.example.com", **asks})
        assert "access-control-allow-origin" not in bad.headers
        refused = await http.get("/v1/jobs", headers={"Origin": "https://app.example.com"})
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (401, True)


async def test_a_tenants_retention_can_be_set(http: httpx.AsyncClient) -> None:
    path = "/v1/admin/tenants/sales"
    assert (await http.get(path)).json() == {"retention_seconds": None}
    assert (await http.put(path, json={"retention_seconds": 60})).status_code == 200
    assert (await http.get(path)).json() == {"retention_seconds": 60}
    assert (await http.put(path, json={"retention_seconds": -1})).status_code == 400
