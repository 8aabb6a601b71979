"""The OpenAPI document against the API: whatever it allows and forbids is tried, and every answer is what it says."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.servers import answers, free_port, wait_until
from unit.transcriber_service.calls import succeed
from unit.transcriber_service.conftest import KEY, MODELS, ROOT
from whisper_transcriber.app import create_app
from whisper_transcriber.bell.memory import MemoryBell
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Catalogue, Deps
from whisper_transcriber.deps.http import serve
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.settings import load_settings
from whisper_transcriber.store.memory import MemoryStore


async def _serve(deps: Deps, port: int, stop: asyncio.Event) -> None:
    async def work() -> None:
        while True:
            await deps.bell.ring(ended(await succeed(deps)))

    working = asyncio.create_task(work())
    await serve(create_app(deps, stop), "127.0.0.1", port, stop, 1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The API with everything in memory, and a worker that hears the same in every file."""
    port, stop, loop = free_port(), asyncio.Event(), asyncio.new_event_loop()
    made = load_settings(api_key=KEY, webhook_secret=ROOT, poll_seconds=0.05)
    objects = DiskObjects(tmp_path_factory.mktemp("objects"))
    deps = Deps(made, MemoryStore(), MemoryBell(), objects, Metrics(), Catalogue(MODELS))
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(deps, port, stop),), daemon=True)
    thread.start()
    wait_until(lambda: answers(port), "the API")
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json", config=SchemathesisConfig())
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


def test_the_document_is_true(api: Any) -> None:
    """Some requests for each operation, good ones and bad ones, under all checks that there are."""
    tried = 0
    for found in api.get_all_operations():
        operation = found.ok()
        if "/v1/tus" in operation.label:
            continue  # a protocol of its own, with tests of its own
        _try(operation)
        tried += 1
    assert tried > 12


def _try(operation: Any) -> None:
    # Which fields of a form go together, what time it is, where a name leads and how many are there already, no schema
    # says: what looks right may be refused.
    form = "multipart/form-data" in operation.get_request_payload_content_types()
    unsaid = form or operation.label in ("POST /v1/admin/keys", "POST /v1/webhooks/endpoints")
    excluded: list[Any] = [positive_data_acceptance] if unsaid else []
    good, bad = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=good | bad)
    def holds(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, timeout=30, excluded_checks=excluded)

    holds()
