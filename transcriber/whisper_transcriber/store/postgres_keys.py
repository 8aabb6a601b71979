"""API keys and tenants in PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from whisper_transcriber.domain.keys import ApiKey, NewKey, Use
from whisper_transcriber.domain.webhooks import Signing
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.keys import RATE_SECONDS
from whisper_transcriber.store.rows import Row

_SAME = (
    "id",
    "name",
    "tenant",
    "expires_at",
    "requests_per_minute",
    "audio_seconds_per_day",
    "start",
    "created_at",
    "revoked_at",
    "last_used_at",
)


class PostgresKeys:
    """Keys in the tables api_keys, rates, usage and tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewKey, digest: bytes, start: str) -> ApiKey:
        limits = (new.expires_at, new.requests_per_minute, new.audio_seconds_per_day)
        arguments = (new.id, digest, start, new.name, new.tenant, list(new.scopes), *limits)
        row = await self._database.row("key_add", *arguments)
        assert row is not None
        return _key(row)

    async def use(self, digest: bytes) -> Use | None:
        row = await self._database.row("key_use", digest, RATE_SECONDS)
        if row is None:
            return None
        key = _key(row)
        if not key.requests_per_minute:
            return Use(key, row["usable"])
        step = RATE_SECONDS / key.requests_per_minute
        full = max(row["full_after"] or 0.0, 0.0)
        if row["counted"] or not row["usable"]:
            return Use(key, row["usable"], 0.0, int((RATE_SECONDS - full) / step + 1e-6), full)
        return Use(key, True, max(full + step - RATE_SECONDS, 0.001), 0, full)

    async def audio_used(self, key: UUID) -> float:
        row = await self._database.row("key_audio", key)
        return row["seconds"] if row else 0.0

    async def list(self) -> Sequence[ApiKey]:
        return [_key(row) for row in await self._database.rows("key_list", None)]

    async def get(self, key: UUID) -> ApiKey | None:
        row = await self._database.row("key_list", key)
        return _key(row) if row else None

    async def revoke(self, key: UUID) -> ApiKey | None:
        row = await self._database.row("key_revoke", key)
        return _key(row) if row else None

    async def retention(self, tenant: str) -> int | None:
        row = await self._database.row("tenant_get", tenant)
        return row["retention_seconds"] if row else None

    async def keep(self, tenant: str, seconds: int | None) -> None:
        await self._database.rows("tenant_keep", tenant, seconds)

    async def signing(self, tenant: str) -> Signing:
        row = await self._database.row("signing", tenant)
        return Signing(row["webhook_generation"], row["webhook_previous_until"]) if row else Signing()

    async def rotate(self, tenant: str, overlap: float) -> Signing:
        row = await self._database.row("signing_rotate", tenant, timedelta(seconds=overlap))
        assert row is not None
        return Signing(row["webhook_generation"], row["webhook_previous_until"])


def _key(row: Row) -> ApiKey:
    return ApiKey(scopes=tuple(row["scopes"]), **{name: row[name] for name in _SAME})
