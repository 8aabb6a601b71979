"""Webhooks over HTTP: asked for with a job, looked up, tried anew; and the secret that signs them."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from unit.transcriber_service.calls import CLIP, error
from unit.transcriber_service.test_keys_api import key
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.webhooks import EVENTS
from whisper_transcriber.store.hooks import ENDPOINTS as MOST

URL = "https://receiver.example/hook"
SECRET = "/v1/webhooks/secret"


async def made(http: httpx.AsyncClient, webhook: Any, **more: Any) -> httpx.Response:
    return await http.post("/v1/jobs", files=CLIP, data={"webhook": json.dumps(webhook)}, **more)


async def test_a_job_says_whom_it_tells_and_what_came_of_it(http: httpx.AsyncClient) -> None:
    job = (await made(http, {"url": URL})).raise_for_status().json()
    assert job["webhook"] == {"url": URL, "events": list(EVENTS), "transcript": False}
    deliveries = f"/v1/jobs/{job['id']}/deliveries"
    assert (await http.get(deliveries)).json() == {"object": "list", "data": []}
    await http.post(f"/v1/jobs/{job['id']}/cancel")
    (found,) = (await http.get(deliveries)).json()["data"]
    assert (found["type"], found["status"], found["attempts"], found["url"]) == (EVENTS[2], "pending", [], URL)
    assert found["next_attempt_at"] >= found["created_at"]
    again = await http.post(f"{deliveries}/{found['id']}/redeliver")
    assert (again.status_code, again.json()["event_id"]) == (202, found["event_id"])
    for unknown in (f"/v1/jobs/{uuid4()}/deliveries", f"{deliveries}/{uuid4()}/redeliver"):
        assert (await http.request("POST" if "redeliver" in unknown else "GET", unknown)).status_code == 404


async def test_json_asks_for_the_same(http: httpx.AsyncClient) -> None:
    hook = {"url": URL, "events": [EVENTS[0]], "transcript": True}
    body = {"source": {"http": {"url": "https://example.com/a.mp3"}}, "webhook": hook}
    job = (await http.post("/v1/jobs", json=body)).raise_for_status().json()
    assert job["webhook"] == hook
    assert (await http.get(f"/v1/jobs/{job['id']}")).json()["webhook"] == hook
    assert (await http.post("/v1/jobs", files=CLIP)).json()["webhook"] is None


@pytest.mark.parametrize(
    "webhook",
    [
        "https://receiver.example/",
        {},
        {"url": ""},
        {"url": "ftp://receiver.example/"},
        {"url": "https://user:password@receiver.example/"},
        {"url": "https://receiver.example/", "events": []},
        {"url": "https://receiver.example/", "events": ["batch.completed"]},
        {"url": "https://receiver.example/", "secret": "x"},
        {"url": "http://127.0.0.1:8000/"},
        {"url": "http://[::1]/"},
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": "https://receiver.example:port/"},
        {"url": "https://receiver.example/" + "a" * 2048},
    ],
)
async def test_a_webhook_that_makes_no_sense_is_a_400(http: httpx.AsyncClient, webhook: Any) -> None:
    answer = await made(http, webhook)
    assert answer.status_code == 400
    assert error(answer)["param"].startswith("webhook")
    assert (await http.get("/v1/jobs")).json()["data"] == []


async def test_private_addresses_are_taken_where_they_are_allowed(deps: Deps) -> None:
    open_ = replace(deps, settings=deps.settings.model_copy(update={"fetch_allow_private": True}))
    transport = httpx.ASGITransport(create_app(open_))
    headers = {"Authorization": f"Bearer {deps.settings.api_key.get_secret_value()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        assert (await made(http, {"url": "http://10.0.0.7:8080/hook"})).status_code == 201


async def test_a_secret_is_a_tenants_and_can_be_replaced(http: httpx.AsyncClient) -> None:
    first = (await http.get(SECRET)).raise_for_status().json()
    assert first["secret"].startswith("whsec_")
    assert first["previous_until"] is None
    ours = await key(http, tenant="a", scopes=["webhooks"])
    assert (await http.get(SECRET, headers=ours)).json()["secret"] != first["secret"]
    second = (await http.post(f"{SECRET}/rotate", json={"overlap_seconds": 3600})).raise_for_status().json()
    assert second["secret"] != first["secret"]
    assert second["previous_until"] is not None
    assert (await http.get(SECRET)).json() == second
    third = (await http.post(f"{SECRET}/rotate", json={"overlap_seconds": 0})).json()
    assert third["previous_until"] is None
    assert (await http.post(f"{SECRET}/rotate", json={"overlap_seconds": -1})).status_code == 400


async def test_a_secret_takes_its_own_scope(http: httpx.AsyncClient) -> None:
    plain = await key(http)
    for answer in (await http.get(SECRET, headers=plain), await http.post(f"{SECRET}/rotate", json={}, headers=plain)):
        assert (answer.status_code, error(answer)["code"]) == (403, "missing_scope")
    assert (await http.get("/v1/jobs", headers=await key(http, scopes=["webhooks"]))).status_code == 403


async def test_a_service_without_a_secret_takes_no_webhooks(deps: Deps) -> None:
    bare = replace(deps, settings=deps.settings.model_copy(update={"webhook_secret": SecretStr("")}))
    headers = {"Authorization": f"Bearer {deps.settings.api_key.get_secret_value()}"}
    transport = httpx.ASGITransport(create_app(bare))
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        for answer in (await made(http, {"url": URL}), await http.get(SECRET)):
            assert (answer.status_code, error(answer)["code"]) == (400, "webhooks_not_set_up")
        assert (await http.post("/v1/jobs", files=CLIP)).status_code == 201


ENDPOINTS_URL = "/v1/webhooks/endpoints"


async def test_a_tenant_registers_whom_all_its_jobs_tell(http: httpx.AsyncClient) -> None:
    made = await http.post(ENDPOINTS_URL, json={"url": URL, "events": [EVENTS[2], EVENTS[2]]})
    assert made.status_code == 201
    one = made.json()
    assert (one["url"], one["events"], one["enabled"], one["disabled_at"]) == (URL, [EVENTS[2]], True, None)
    assert (await http.get(ENDPOINTS_URL)).json()["data"] == [one]
    path = f"{ENDPOINTS_URL}/{one['id']}"
    assert (await http.get(path)).json() == one
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    await http.post(f"/v1/jobs/{job}/cancel")
    (told,) = (await http.get(f"/v1/jobs/{job}/deliveries")).json()["data"]
    assert (told["url"], told["type"]) == (URL, EVENTS[2])
    off = (await http.patch(path, json={"enabled": False, "transcript": True})).json()
    assert (off["enabled"], off["transcript"], off["events"]) == (False, True, [EVENTS[2]])
    assert off["disabled_at"] is not None
    assert (await http.patch(path, json={"enabled": True})).json()["disabled_at"] is None
    assert (await http.patch(path, json={"url": "http://10.0.0.1/"})).status_code == 400
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    assert (await http.get(f"/v1/jobs/{job}/deliveries")).json()["data"] == []


@pytest.mark.parametrize("body", [{}, {"url": "ftp://a"}, {"url": "http://127.0.0.1/"}, {"url": URL, "events": []}])
async def test_an_endpoint_that_makes_no_sense_is_a_400(http: httpx.AsyncClient, body: Any) -> None:
    answer = await http.post(ENDPOINTS_URL, json=body)
    assert answer.status_code == 400
    error(answer)
    assert (await http.get(ENDPOINTS_URL)).json()["data"] == []


async def test_a_tenant_may_not_have_any_number_of_endpoints(http: httpx.AsyncClient) -> None:
    answers = [await http.post(ENDPOINTS_URL, json={"url": URL}) for _ in range(MOST + 1)]
    assert [answer.status_code for answer in answers] == [201] * MOST + [409]
    assert error(answers[-1])["code"] == "too_many_webhooks"


async def test_the_document_says_what_is_sent(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    sent = document["webhooks"]["job-ended"]["post"]
    assert {each["name"] for each in sent["parameters"]} == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    body = sent["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][body]["properties"]["type"]["enum"] == list(EVENTS)
    assert "HTTPValidationError" not in json.dumps(document)
