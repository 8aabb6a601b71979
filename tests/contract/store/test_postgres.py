"""What only PostgreSQL can get wrong: migrations, and being away."""

import asyncio
import re
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from contract.store.steps import new
from services.servers import free_port, until
from whisper_transcriber.domain.webhooks import Webhook
from whisper_transcriber.store.migrations import migrations
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.store.postgres import PostgresStore


async def test_many_processes_may_migrate_at_once(database: str) -> None:
    stores = [PostgresStore(database) for _ in range(4)]
    applied = await asyncio.gather(*(store.migrate() for store in stores))
    assert sorted(name for names in applied for name in names) == [step.name for step in migrations()]
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_database_without_the_schema_is_not_ready(database: str) -> None:
    store = PostgresStore(database)
    with pytest.raises(Unavailable):
        await store.ready()
    with pytest.raises(Unavailable):
        await store.queue()
    await store.migrate()
    await store.ready()
    await store.close()


async def test_a_server_that_is_away_is_unavailable_and_its_password_is_not_told() -> None:
    store = PostgresStore(f"postgresql://postgres:swordfish@127.0.0.1:{free_port()}/x")
    with pytest.raises(Unavailable) as caught:
        await store.queue()
    assert "swordfish" not in str(caught.value)
    assert caught.value.word == "unavailable"
    await store.close()


async def test_a_refusal_is_told_apart_from_silence(database: str) -> None:
    parts = urlsplit(database)
    wrong = parts._replace(netloc=f"nobody:swordfish@{parts.hostname}:{parts.port}")
    store = PostgresStore(urlunsplit(wrong))
    with pytest.raises(Unavailable) as caught:
        await store.ready()
    assert caught.value.word == "password refused"
    await store.close()


async def test_a_webhook_that_is_removed_meanwhile_does_not_keep_a_job_from_ending(database: str) -> None:
    store = PostgresStore(database)
    await store.migrate()
    kept, removed = [await store.hooks.add(uuid4(), "default", Webhook(f"https://{n}.example/")) for n in "ab"]
    assert kept is not None and removed is not None
    job, _ = await store.create(new())
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("DELETE FROM endpoints WHERE id = $1", removed.id)
        ending = asyncio.create_task(store.cancel(job.id))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

        async def waiting() -> bool:
            return bool(await other.fetchval(waits))

        await until(waiting, "the end of the job to wait for the removal")
    await ending
    assert [each.endpoint for each in await store.hooks.of(job.id)] == [kept.id]
    await other.close()
    await store.close()


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [step.version for step in migrations()] == list(range(1, len(migrations()) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+", step.name) for step in migrations())
