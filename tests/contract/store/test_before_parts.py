"""Processes of the release before parts go on while the schema changes, and after (`before_parts/`: what they say)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contract.store.steps import LONG, SHORT, claimed, claimed_after_lapse, done, new, part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.migrations import apply, migrations
from whisper_transcriber.store.postgres import PostgresStore
from whisper_transcriber.store.rows import new_row

OLD = Path(__file__).with_name("before_parts")


class OldProcess:
    """What an API or a worker of the release before said to PostgreSQL."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def say(self, name: str, *arguments: Any) -> Any:
        """The first row that a statement returns."""
        rows = await self._connection.fetch((OLD / f"{name}.sql").read_text(), *arguments)
        return rows[0] if rows else None

    async def create(self) -> UUID:
        return (await self.say("create", *new_row(new())[:10]))["id"]  # type: ignore[no-any-return]

    async def claim(self, lease: float = LONG) -> Any:
        return await self.say("claim", "old worker", timedelta(seconds=lease))

    async def checkpoint(self, claim: Any, result: WindowResult, lease: float = LONG) -> Any:
        window, body = result.window, result.to_json()
        seconds = timedelta(seconds=lease)
        return await self.say("checkpoint", claim["id"], claim["attempt"], seconds, [window.index], [body], window.end)


@pytest.fixture
async def old(database: str) -> AsyncIterator[OldProcess]:
    """A process of the release before, on a database of that release."""
    connection = await asyncpg.connect(database)
    await apply(connection, migrations()[:2])
    yield OldProcess(connection)
    await connection.close()


@pytest.fixture
async def store(database: str, old: OldProcess) -> AsyncIterator[PostgresStore]:
    """This release, not migrated yet."""
    made = PostgresStore(database)
    yield made
    await made.close()


async def test_a_job_in_flight_goes_on_through_the_migration(old: OldProcess, store: PostgresStore) -> None:
    job = await old.create()
    claim = await old.claim()
    await old.checkpoint(claim, done(0))
    assert (await store.migrate())[0] == "0003_parts"
    assert await store.claim("new worker", LONG) is None
    assert await old.checkpoint(claim, done(1)) is not None
    assert await old.say("renew", job, claim["attempt"], timedelta(seconds=LONG)) is not None
    ended = await old.say("finish", job, claim["attempt"], "succeeded", "de", 40.0, None, None)
    assert (ended["status"], ended["windows_done"]) == ("succeeded", 2)
    assert await store.claim("new worker", LONG) is None


async def test_a_job_whose_old_worker_died_is_gone_on_with_as_a_whole(old: OldProcess, store: PostgresStore) -> None:
    job = await old.create()
    claim = await old.claim()
    await old.checkpoint(claim, done(0), SHORT)
    await store.migrate()
    again = await claimed_after_lapse(store)
    assert (again.job.id, again.kind, again.attempt, again.failures) == (job, "open", 2, 1)
    assert await store.windows(job) == [done(0)]
    assert await store.parts(job) == []
    assert await old.checkpoint(claim, done(1)) is None
    await store.checkpoint(again, [done(1)], LONG)
    assert (await store.succeed(again, "de", 40.0)).windows_done == 2


async def test_old_and_new_processes_share_short_jobs(old: OldProcess, store: PostgresStore) -> None:
    await store.migrate()
    first, second = await old.create(), await old.create()
    assert (await claimed(store)).job.id == first
    claim = await old.claim()
    assert claim["id"] == second
    assert await old.say("hand_back", second, claim["attempt"], False) is not None
    assert (await claimed(store)).job.id == second


async def test_an_old_worker_never_touches_a_job_that_has_parts(old: OldProcess, store: PostgresStore) -> None:
    await store.migrate()
    await old.create()
    opener = await claimed(store)
    await store.add_part(opener, part(0), LONG)
    worker = await claimed(store)
    await store.renew(opener, SHORT)
    again = await claimed_after_lapse(store)
    await store.hand_back(again, failed=False)
    assert await old.claim() is None
    again = await claimed(store)
    await store.opened(again, 100.0, LONG)
    assert await old.claim() is None
    assert await store.finish_part(worker, SHORT) is not None
    close = await claimed_after_lapse(store)
    assert close.kind == "close"
    assert await old.claim() is None
    assert await old.say("cancel", close.job.id) is None
    assert await store.claim("new worker", LONG) is None
