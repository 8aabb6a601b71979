"""Pods may start before their database carries this release's schema: they load what they need, and wait."""

import asyncio

import asyncpg
import httpx

from assets import speech
from clips import word_error_rate
from services.running import PATIENCE, PLAIN, Client, Service
from services.servers import free_port, postgres, wait_until
from whisper_transcriber.store.migrations import apply, migrations


async def of_an_older_release() -> str:
    """The URL of a database with the schema of the first release."""
    url = await postgres().fresh()
    connection = await asyncpg.connect(url)
    try:
        await apply(connection, migrations()[:1])
    finally:
        await connection.close()
    return url


def test_api_and_worker_wait_for_the_schema_and_then_work(service: Service) -> None:
    env = {"WHISPER_DATABASE_URL": asyncio.run(of_an_older_release())}
    worker, api = service.start("work", **env), service.launch("serve", **env)

    wait_until(api.alive, "the API to live", PATIENCE)
    ready = httpx.get(f"{api.url}/readyz", timeout=30, verify=PLAIN)
    assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "older schema")
    wait_until(lambda: "Waiting for the store" in worker.log.read_text(), "the worker to say so", PATIENCE)
    assert worker.ready(), "its model is loaded, and it lives"
    assert service.run("migrate", **env).returncode == 0
    wait_until(api.ready, "the API to be ready", PATIENCE)
    clip = speech.long(5)
    with Client(api).openai as client, clip.path.open("rb") as audio:
        heard = client.audio.transcriptions.create(file=audio, model="tiny")
    assert word_error_rate(clip.text, heard.text) < 0.3
    assert worker.terminate() == 0


def test_a_worker_without_a_database_loads_its_model_and_ends_when_it_is_told_to(service: Service) -> None:
    worker = service.start("work", WHISPER_DATABASE_URL=f"postgresql://u:p@127.0.0.1:{free_port()}/d")
    wait_until(lambda: "Waiting for the store" in worker.log.read_text(), "the worker to say so", PATIENCE)
    assert worker.ready()
    assert worker.terminate() == 0
