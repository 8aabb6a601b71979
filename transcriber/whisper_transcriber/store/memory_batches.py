"""Batches in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from whisper_transcriber.domain.batches import Batch


@dataclass
class Kept:
    """A batch, when it is due (None: never), and until when it is held; seconds of the store's clock."""

    batch: Batch
    next_at: float | None
    lease_until: float | None = None


class MemoryBatches:
    """Batches of one process; `clock` gives seconds, `tenants` how long each keeps what has ended."""

    def __init__(self, clock: Callable[[], float], tenants: Callable[[], Mapping[str, int]]) -> None:
        self._clock = clock
        self._tenants = tenants
        self.batches: dict[UUID, Kept] = {}

    async def add(self, batch: Batch) -> None:
        self.batches[batch.id] = Kept(batch, self._clock())
        await self._changed(batch.id)

    async def get(self, batch: UUID) -> Batch | None:
        kept = self.batches.get(batch)
        return kept.batch if kept else None

    async def list(self, tenant: str, limit: int, after: UUID | None = None) -> Sequence[Batch]:
        own = [kept.batch for kept in self.batches.values() if kept.batch.tenant == tenant]
        own.sort(key=_place, reverse=True)
        if after is not None:
            before = next((each for each in own if each.id == after), None)
            own = [each for each in own if before and _place(each) < _place(before)]
        return own[:limit]

    async def cancel(self, batch: UUID) -> Batch | None:
        kept = self.batches.get(batch)
        if kept is None or kept.batch.ended or kept.batch.cancelling_at:
            return kept.batch if kept else None
        kept.batch = replace(kept.batch, cancelling_at=self._now())
        if kept.lease_until is None:
            kept.next_at = self._clock()
        await self._changed(batch)
        return kept.batch

    async def claim(self, lease: float) -> Batch | None:
        now = self._clock()
        due = [(kept.next_at, kept) for kept in self.batches.values() if kept.next_at is not None]
        ripe = [(next_at, kept) for next_at, kept in due if next_at <= now]
        if not ripe:
            return None
        _, kept = min(ripe, key=lambda pair: pair[0])
        kept.batch = replace(kept.batch, fence=kept.batch.fence + 1)
        self._hold(kept, lease)
        await self._changed(kept.batch.id)
        return kept.batch

    async def renew(self, batch: Batch, lease: float) -> bool:
        kept = self._held(batch)
        if kept is not None:
            self._hold(kept, lease)
        return kept is not None

    async def save(self, batch: Batch, lease: float) -> Batch | None:
        kept = self._held(batch)
        if kept is None:
            return None
        kept.batch = replace(batch, cancelling_at=kept.batch.cancelling_at)
        if batch.ended:
            kept.next_at = kept.lease_until = None
        else:
            self._hold(kept, lease)
        await self._changed(batch.id)
        return kept.batch

    async def release(self, batch: Batch, again: float) -> None:
        kept = self._held(batch)
        if kept is not None:
            kept.lease_until, kept.next_at = None, self._clock() + again
            await self._changed(batch.id)

    async def open(self) -> int:
        return sum(not kept.batch.ended for kept in self.batches.values())

    async def abandoned(self, kept: float | None = None) -> Sequence[Batch]:
        tenants = self._tenants()
        stays = [(each.batch, tenants.get(each.batch.tenant, kept)) for each in self.batches.values()]
        return [
            batch
            for batch, seconds in stays
            if batch.ended_at and seconds is not None and batch.ended_at < self._now() - timedelta(seconds=seconds)
        ]

    async def delete(self, batch: UUID) -> None:
        self.batches.pop(batch, None)
        await self._changed(batch)

    def _held(self, batch: Batch) -> Kept | None:
        kept = self.batches.get(batch.id)
        return kept if kept and kept.lease_until is not None and kept.batch.fence == batch.fence else None

    def _hold(self, kept: Kept, lease: float) -> None:
        kept.lease_until = kept.next_at = self._clock() + lease

    async def _changed(self, batch: UUID) -> None:
        """For a store that writes it down."""

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _place(batch: Batch) -> tuple[datetime, UUID]:
    return batch.created_at, batch.id
