"""Every answer has an id, and what was logged for it says that id and the job's."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from unit.transcriber_service.calls import CLIP, SYNC, succeed
from whisper_transcriber.deps import Deps
from whisper_transcriber.logs import JsonFormatter


class Lines(logging.Handler):
    """What a process would have written."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonFormatter())
        self.written: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    handler, logger = Lines(), logging.getLogger("whisper_transcriber")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.written
    logger.removeHandler(handler)
    logger.setLevel(before)


def answered(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in lines if line["event"] == "Answered"]


async def test_the_id_and_the_job_are_in_the_log(http: httpx.AsyncClient, lines: list[dict[str, object]]) -> None:
    made = await http.post("/v1/jobs", files=CLIP)
    seen = await http.get(f"/v1/jobs/{made.json()['id']}")
    listed = await http.get("/v1/jobs")
    ids = [answer.headers["x-request-id"] for answer in (made, seen, listed)]
    assert len(set(ids)) == 3
    assert [line["request"] for line in answered(lines)] == ids
    assert [line.get("job") for line in answered(lines)] == [made.json()["id"]] * 2 + [None]


async def test_a_waiting_requests_line_has_its_job(
    http: httpx.AsyncClient, deps: Deps, lines: list[dict[str, object]]
) -> None:
    answer, job = await asyncio.gather(http.post(SYNC, files=CLIP), succeed(deps))
    assert [(line["request"], line["job"]) for line in answered(lines)] == [(answer.headers["x-request-id"], str(job))]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nowhere", "/v1/models"])
async def test_the_clients_own_id_is_kept(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).headers["x-request-id"].startswith("req_")
    answer = await http.get(path, headers={"X-Request-Id": "trace-1.a_b"})
    assert answer.headers["x-request-id"] == "trace-1.a_b"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, '{"a": 1}', "ü"])
async def test_an_id_that_could_be_anything_is_not(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/livez", headers=[(b"X-Request-Id", given.encode())])
    assert answer.headers["x-request-id"].startswith("req_")


async def test_one_requests_id_is_not_anothers(http: httpx.AsyncClient, lines: list[dict[str, object]]) -> None:
    answers = await asyncio.gather(*(http.get("/v1/jobs", headers={"x-request-id": f"n-{n}"}) for n in range(20)))
    assert [answer.headers["x-request-id"] for answer in answers] == [f"n-{n}" for n in range(20)]
    assert {line["request"] for line in answered(lines)} == {f"n-{n}" for n in range(20)}
