"""The numbered migrations of `sql/migrations`: forward only, each applied once, one process at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

# Any number that only these migrations use.
_LOCK = 0x77686973706572

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True)
class Migration:
    """A step of the schema; its number orders it."""

    version: int
    name: str
    sql: str


def migrations() -> Sequence[Migration]:
    """All migrations that this release ships, in order."""
    folder = files("whisper_transcriber.store").joinpath("sql", "migrations")
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(int(name.split("_", 1)[0]), name.removesuffix(".sql"), folder.joinpath(name).read_text())
        for name in found
    ]


async def apply(connection: "asyncpg.Connection[asyncpg.Record]", steps: Sequence[Migration]) -> Sequence[str]:
    """Apply the steps that the database lacks, all or nothing; returns their names.

    Two processes may call this at once: the second waits for the first and finds nothing to do.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        applied = {row["version"] for row in await connection.fetch("SELECT version FROM schema_migrations")}
        missing = [step for step in steps if step.version not in applied]
        for step in missing:
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", step.version, step.name
            )
    return [step.name for step in missing]
