from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from whisper_transcriber.app import create_app
from whisper_transcriber.bell.memory import MemoryBell
from whisper_transcriber.deps import Catalogue, Deps
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.settings import load_settings
from whisper_transcriber.store.memory import MemoryStore

KEY = "the-key"
ROOT = "root-of-the-webhook-secrets"
MODELS = [ModelSpec(name="base", aliases=("b",)), ModelSpec(name="tiny.en")]


@pytest.fixture
def deps(tmp_path: Path) -> Deps:
    """Everything in memory and a folder."""
    # One window at a time on a lane, so that tests can count them.
    settings = load_settings(
        api_key=KEY,
        webhook_secret=ROOT,
        max_upload_bytes=1000,
        poll_seconds=0.05,
        scratch=tmp_path,
        lane_windows=1,
    )
    objects = DiskObjects(tmp_path / "objects")
    return Deps(settings, MemoryStore(), MemoryBell(), objects, Metrics(), Catalogue(MODELS))


@pytest.fixture
async def http(deps: Deps) -> AsyncIterator[httpx.AsyncClient]:
    """The API in this process, with the key."""
    transport = httpx.ASGITransport(create_app(deps), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


@pytest.fixture
def app(http: httpx.AsyncClient) -> Any:
    """The application that `http` asks."""
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder that holds all objects."""
    return tmp_path / "objects"


@pytest.fixture
async def client(app: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's client of the application."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False)) as http:
        yield openai.AsyncOpenAI(base_url="http://api/v1", api_key=KEY, max_retries=0, http_client=http)
