"""What a process says while it cannot do its work: an operator hands it on to people."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from services.servers import until
from unit.transcriber_service.test_worker_models import Sized
from whisper_transcriber import wiring
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.catalogue import Catalogue
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.worker.health import health_app


async def test_a_worker_says_why_its_model_is_not_loaded(deps: Deps) -> None:
    models = Sized(replace(deps, models=Catalogue([ModelSpec(name="a")])))
    models.broken = True
    transport = httpx.ASGITransport(health_app(deps, models))
    stop = asyncio.Event()
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http, asyncio.TaskGroup() as group:
        early = await http.get("/readyz")
        assert (early.status_code, early.text) == (503, "the default model is not loaded yet")
        group.create_task(models.warm_up(stop))

        async def failed() -> bool:
            return bool(models.trouble)

        await until(failed, "an attempt to load it")
        told = await http.get("/readyz")
        assert (told.status_code, told.text) == (503, "the default model is not loaded: broken")
        stop.set()
    await models.close()


async def test_a_migration_writes_down_why_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "TROUBLE", tmp_path / "trouble")
    said: list[bool] = []

    async def action() -> str:
        said.append(wiring.TROUBLE.exists())
        if len(said) < 3:
            raise Unavailable("password authentication failed")
        assert wiring.TROUBLE.read_text() == "password authentication failed"
        return "done"

    assert await wiring._patiently(action, asyncio.Event()) == "done"
    assert said == [False, True, True]
    assert not wiring.TROUBLE.exists()
