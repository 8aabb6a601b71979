"""A request's span: the route and the outcome, in the caller's trace, and nothing that is nobody's business."""

import asyncio
import gc
import json
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from time import monotonic

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from services.servers import free_port
from unit.transcriber_service.calls import CLIP, SYNC, claim, succeed
from unit.transcriber_service.conftest import KEY
from unit.transcriber_service.test_request_ids import Lines, answered
from unit.transcriber_service.tracing import Traced, about, ids, parent, traced
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps
from whisper_transcriber.tracing import load, wanted
from whisper_transcriber.tracing.otel import GOODBYE

TRACE, CALLER = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
BEGUN = {"traceparent": f"00-{TRACE:032x}-{CALLER:016x}-01"}

ON = [
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"},
    {"OTEL_TRACES_EXPORTER": "otlp"},
]
OFF = [
    {},
    {"OTEL_SERVICE_NAME": "speech"},
    {**ON[0], "OTEL_TRACES_EXPORTER": "none"},
    {**ON[0], "OTEL_SDK_DISABLED": "true"},
    {**ON[0], "OTEL_TRACES_EXPORTER": "zipkin"},
    {**ON[0], "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
]
ALONE = """
import sys, threading
from whisper_transcriber import __main__, tracing, wiring
from whisper_transcriber.app import create_app
from whisper_transcriber.settings import load_settings
create_app(wiring.build(load_settings(database_url="postgresql://h/d"), tracing.load("api")))
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
print(threading.active_count())
"""


@pytest.fixture
async def on(deps: Deps) -> Traced:
    return traced(deps)


@pytest.fixture
async def http(on: Traced) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(on.deps), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


@pytest.mark.parametrize("env", ON)
def test_an_endpoint_or_an_exporter_switches_it_on(env: dict[str, str]) -> None:
    assert wanted(env)


@pytest.mark.parametrize("env", OFF)
def test_it_is_off_otherwise(env: dict[str, str]) -> None:
    assert not wanted(env)


@pytest.mark.parametrize(("env", "loaded"), [({}, False), (ON[0], True)], ids=["off", "on"])
def test_the_sdk_is_imported_only_where_it_is_on(env: dict[str, str], loaded: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], env={**env, "PATH": ""}, capture_output=True, text=True, check=True
    )
    modules, threads = done.stdout.splitlines()
    assert ("opentelemetry.sdk.trace" in modules) == loaded
    assert (modules == "[]") == (not loaded)
    assert int(threads) == 1 + loaded


async def test_a_request_goes_on_with_the_callers_trace(http: httpx.AsyncClient, on: Traced) -> None:
    made = await http.post("/v1/jobs", files=CLIP, headers=BEGUN)
    span = on.one("POST /v1/jobs")
    assert (span.context.trace_id, parent(span), span.kind.name) == (TRACE, CALLER, "SERVER")
    assert about(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "http.route": "/v1/jobs",
        "network.protocol.version": "1.1",
        "url.scheme": "http",
        "whisper.job.id": made.json()["id"],
    }
    assert (await claim(on.deps)).job.traceparent == f"00-{TRACE:032x}-{ids(span)[1]:016x}-01"


@pytest.mark.parametrize("given", [{}, {"traceparent": "00-0-0-01"}, {"traceparent": "x" * 5000}])
async def test_a_trace_begins_where_none_is_given(http: httpx.AsyncClient, on: Traced, given: dict[str, str]) -> None:
    assert (await http.get("/v1/models", headers=given)).status_code == 200
    assert parent(on.one("GET /v1/models")) is None


async def test_a_caller_who_samples_nothing_is_obeyed_and_the_job_knows(http: httpx.AsyncClient, on: Traced) -> None:
    await http.post("/v1/jobs", files=CLIP, headers={"traceparent": BEGUN["traceparent"][:-1] + "0"})
    assert on.spans() == []
    assert ((await claim(on.deps)).job.traceparent or "").startswith(f"00-{TRACE:032x}-")


async def test_nothing_of_the_path_the_query_or_the_key_is_told(http: httpx.AsyncClient, on: Traced) -> None:
    await http.get("/v1/jobs", params={"metadata": "patient:SECRET"})
    await http.get("/v1/jobs/SECRET")
    await http.get("/nowhere/SECRET")
    await http.request("SECRET", "/v1/jobs")
    await http.get("/v1/models", headers={"Authorization": "Bearer SECRET"})
    names = [span.name for span in on.spans()]
    assert names[:4] == ["GET /v1/jobs", "GET /v1/jobs/{job_id}", "GET", "HTTP /v1/jobs"]
    assert "SECRET" not in "".join(span.to_json() for span in on.spans())
    assert KEY not in "".join(span.to_json() for span in on.spans())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/internal/demand"])
async def test_probes_are_no_spans(http: httpx.AsyncClient, on: Traced, path: str) -> None:
    await http.get(path)
    assert on.spans() == []


async def test_only_what_is_our_fault_is_an_error(
    http: httpx.AsyncClient, on: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    await http.get("/v1/jobs?limit=0")

    async def broken(*_arguments: object) -> None:
        raise RuntimeError("the words of somebody")

    monkeypatch.setattr(on.deps.store, "list", broken)
    await http.get("/v1/jobs")
    refused, failed = on.spans("GET /v1/jobs")
    assert refused.status.is_unset and about(refused)["http.response.status_code"] == 400
    assert not failed.status.is_ok and about(failed)["error.type"] == "500"
    assert "words" not in failed.to_json()


async def test_log_lines_say_the_trace(http: httpx.AsyncClient, on: Traced) -> None:
    lines, logger = Lines(), logging.getLogger("whisper_transcriber")
    logger.addHandler(lines)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        await http.get("/v1/models", headers=BEGUN)
        await http.get("/v1/models")
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
    first, second = answered(lines.written)
    assert first["trace_id"] == f"{TRACE:032x}"
    assert second["trace_id"] not in (first["trace_id"], None)
    json.dumps(lines.written)


async def test_who_waits_for_a_transcript_is_one_span(http: httpx.AsyncClient, on: Traced) -> None:
    answer, job = await asyncio.gather(http.post(SYNC, files=CLIP), succeed(on.deps))
    assert answer.status_code == 200
    assert about(on.one(f"POST {SYNC}"))["whisper.job.id"] == str(job)


@pytest.mark.parametrize("answers", [False, True], ids=["refused", "silent"])
async def test_without_a_collector_spans_do_not_pile_up_and_the_end_comes_soon(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if answers else free_port()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        tracing = load("test")
        assert tracing.on
        for _ in range(6000):
            with tracing.span("one", parent=None):
                pass
        kept = sum(isinstance(each, ReadableSpan) for each in gc.get_objects())
        assert 1000 < kept < 2048 + 4 * 512, "a full queue, and what is being sent"
        began = monotonic()
        await tracing.close()
        assert monotonic() - began < 2 * GOODBYE


def test_deps_trace_nothing_unless_they_are_told(deps: Deps) -> None:
    assert not deps.tracing.on
    assert replace(deps).tracing.here() is None
