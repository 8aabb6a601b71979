"""API keys and tenants in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from whisper_transcriber.domain.keys import ApiKey, NewKey, Use
from whisper_transcriber.domain.webhooks import Signing
from whisper_transcriber.store.keys import RATE_SECONDS
from whisper_transcriber.store.memory_rows import Row


class MemoryKeys:
    """Keys of one process; `rows` are the store's jobs, `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], rows: dict[UUID, Row]) -> None:
        self._clock = clock
        self._rows = rows
        self.keys: dict[UUID, ApiKey] = {}
        self.digests: dict[bytes, UUID] = {}
        self.tenants: dict[str, int] = {}
        self.signings: dict[str, Signing] = {}
        self.used: dict[tuple[UUID, str], float] = {}
        self._full: dict[UUID, float] = {}

    async def add(self, new: NewKey, digest: bytes, start: str) -> ApiKey:
        made = self._recorded(digest, ApiKey(**vars(new), start=start, created_at=self._now()))
        await self._changed()
        return made

    def _recorded(self, digest: bytes, key: ApiKey) -> ApiKey:
        self.keys[key.id] = key
        self.digests[digest] = key.id
        return key

    async def _changed(self) -> None:
        """For a store that writes it down."""

    async def use(self, digest: bytes) -> Use | None:
        if digest not in self.digests:
            return None
        now, key = self._clock(), self.keys[self.digests[digest]]
        usable = key.revoked_at is None and (key.expires_at is None or key.expires_at > self._now())
        if usable:
            key = self.keys[key.id] = replace(key, last_used_at=self._now())
        if not key.requests_per_minute:
            return Use(key, usable)
        step = RATE_SECONDS / key.requests_per_minute
        full = max(self._full.get(key.id, now) - now, 0.0)
        if not usable:
            return Use(key, False, 0.0, int((RATE_SECONDS - full) / step + 1e-6), full)
        if full + step > RATE_SECONDS + 1e-6:
            return Use(key, True, max(full + step - RATE_SECONDS, 0.001), 0, full)
        self._full[key.id] = now + full + step
        return Use(key, True, 0.0, int((RATE_SECONDS - full - step) / step + 1e-6), full + step)

    async def audio_used(self, key: UUID) -> float:
        open_ = [row.job for row in self._rows.values() if row.api_key == key and not row.job.ended]
        return self.used.get((key, self._day()), 0.0) + sum(job.audio_seconds or 0.0 for job in open_)

    async def list(self) -> Sequence[ApiKey]:
        return list(reversed(self.keys.values()))

    async def get(self, key: UUID) -> ApiKey | None:
        return self.keys.get(key)

    async def revoke(self, key: UUID) -> ApiKey | None:
        found = self.keys.get(key)
        if found is not None and found.revoked_at is None:
            self.keys[key] = replace(found, revoked_at=self._now())
            await self._changed()
        return self.keys.get(key)

    async def retention(self, tenant: str) -> int | None:
        return self.tenants.get(tenant)

    async def keep(self, tenant: str, seconds: int | None) -> None:
        self.tenants.pop(tenant, None)
        if seconds is not None:
            self.tenants[tenant] = seconds
        await self._changed()

    async def signing(self, tenant: str) -> Signing:
        return self.signings.get(tenant, Signing())

    async def rotate(self, tenant: str, overlap: float) -> Signing:
        generation = self.signings.get(tenant, Signing()).generation + 1
        made = self.signings[tenant] = Signing(generation, self._now() + timedelta(seconds=overlap))
        await self._changed()
        return made

    def charge(self, row: Row) -> None:
        """Count what was done of a job that has just ended."""
        if row.api_key is not None:
            today = (row.api_key, self._day())
            self.used[today] = self.used.get(today, 0.0) + row.job.processed_seconds

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _day(self) -> str:
        return self._now().date().isoformat()
