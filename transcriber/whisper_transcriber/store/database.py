"""The way to PostgreSQL: a pool that is made when needed, and statements that are files of `sql/`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg

from whisper_transcriber.store.port import Unavailable

# What PostgreSQL or the way to it says while it is away, starting, stopping, full, or without our schema.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
    # A URL whose file of authorities is not there (yet).
    asyncpg.exceptions.ClientConfigurationError,
)


def verified(url: str, authorities: str) -> str:
    """The URL with the file of authorities that certify the server. Its own sslmode stays; without one, verify-full.

    The file is read for each connection, so that it may be renewed at any time.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    given = {name for name, _ in query}
    more = {"sslmode": "verify-full", "sslrootcert": authorities}
    query += [(name, value) for name, value in more.items() if name not in given]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


@cache
def _sql(name: str) -> str:
    return files("whisper_transcriber.store").joinpath("sql", f"{name}.sql").read_text()


class Database:
    """The database at `url`. Connections are made when needed, so the process starts without it."""

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self._connections = connections
        self._made: asyncpg.Pool[asyncpg.Record] | None = None

    async def row(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row that a statement returns. Raises Unavailable."""
        rows = await self.rows(name, *arguments)
        return rows[0] if rows else None

    async def rows(self, name: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """The rows that a statement returns. Raises Unavailable."""
        async with self.connection() as connection:
            rows: Sequence[asyncpg.Record] = await connection.fetch(_sql(name), *arguments)
            return rows

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection of the pool. Raises Unavailable, also for what happens in the block."""
        try:
            if self._made is None:
                self._made = asyncpg.create_pool(
                    self._url, min_size=0, max_size=self._connections, timeout=5, command_timeout=15
                )
                await self._made
            async with self._made.acquire(timeout=10) as connection:
                yield connection
        except _AWAY as error:
            refused = isinstance(error, asyncpg.InvalidAuthorizationSpecificationError)
            word = "password refused" if refused else "unavailable"
            raise Unavailable(f"PostgreSQL does not answer: {type(error).__name__}: {error}", word) from error

    async def close(self) -> None:
        """Let go of all connections."""
        if self._made is not None:
            await self._made.close()
