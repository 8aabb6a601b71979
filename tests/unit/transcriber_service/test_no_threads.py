"""No request needs a thread of the process: under load each would wait for one, and for Python's lock."""

import httpx
import pytest

from unit.transcriber_service.calls import CLIP


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What FastAPI would have called in a thread: plain functions among endpoints and dependencies."""
    called: list[object] = []

    async def here(function: object, *arguments: object, **named: object) -> object:
        called.append(function)
        return function(*arguments, **named)  # type: ignore[operator]

    monkeypatch.setattr("fastapi.routing.run_in_threadpool", here)
    monkeypatch.setattr("fastapi.dependencies.utils.run_in_threadpool", here)
    return called


async def test_no_request_needs_a_thread(http: httpx.AsyncClient, threads: list[object]) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    paths = (
        "/v1/models",
        "/v1/jobs",
        f"/v1/jobs/{job}",
        "/v1/admin/keys",
        "/internal/demand",
        "/livez",
        "/readyz",
        "/metrics",
    )
    answers = [(path, (await http.get(path)).status_code) for path in paths]
    assert [path for path, status in answers if status != 200] == []
    assert threads == []
