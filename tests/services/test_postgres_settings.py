"""The planned settings against a real PostgreSQL: it reads them all, and the image's watcher has it take changes up."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import asyncpg
import pytest

from services import secured, servers
from services.servers import until
from whisper_operator.plan.tuning import restarting, settled, tuned

GIB = 1024**3


def put(folder: Path, settings: dict[str, str]) -> None:
    secured.put(folder / "40-tuned.conf", "".join(f"{name} = '{value}'\n" for name, value in settings.items()))


def include(main: Path, folder: Path) -> None:
    main.write_text(f"{main.read_text()}\ninclude_dir = '{folder}'\n")


async def test_it_reads_them_and_takes_up_what_needs_no_restart() -> None:
    server = servers.new_postgres()
    folder = secured.certificates({}, "postgres")  # a folder that it may read
    settings = settled(tuned(GIB, 8 * GIB, 50), {"log_min_duration_statement": "1s"}, GIB)
    put(folder, settings)
    asker = await asyncpg.connect(server.url())
    try:
        started = await asker.fetchval("SELECT pg_postmaster_start_time()")
        await asyncio.to_thread(include, Path(await asker.fetchval("SHOW config_file")), folder)
        rows = await asker.fetch(
            "SELECT name, applied, error FROM pg_file_settings WHERE sourcefile LIKE $1", f"{folder}%"
        )
        assert {row["name"] for row in rows} == settings.keys()
        # What it would not take up by a reload is what we say needs a restart; it knows each of them, and its value.
        refused = {row["name"]: row["error"] for row in rows if row["error"]}
        assert set(refused.values()) == {"setting could not be applied"}
        assert refused.keys() <= restarting(settings).keys()
        assert {"shared_buffers", "shared_preload_libraries", "huge_pages"} <= refused.keys()

        assert server.server.process is not None
        secured.watch(folder, *secured.hang_up(server.server.process.pid))
        changes = itertools.count(1)

        async def taken_up() -> bool:
            # One change after another: the watcher may begin after the first.
            put(folder, {**settings, "work_mem": "33MB", "vacuum_cost_limit": str(next(changes))})
            return bool(await asker.fetchval("SHOW work_mem") == "33MB")

        await until(taken_up, "the new work_mem", 30)
        assert await asker.fetchval("SELECT pg_postmaster_start_time()") == started
        assert await asker.fetchval("SHOW random_page_cost") == "1.1"
    finally:
        await asker.close()
    server.server.stop()


@pytest.mark.parametrize("known", ["max_connections", "shared_buffers", "wal_level", "track_activity_query_size"])
def test_we_know_which_settings_need_a_restart(known: str) -> None:
    """The list is PostgreSQL 17's (tests/cluster/test_stores.py); these have been in it for long."""
    assert restarting({known: "1", "work_mem": "1MB"}) == {known: "1"}
