"""Deliveries of webhooks in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from whisper_transcriber.domain.deliveries import LOGGED, Attempt, Delivery, about, event_of
from whisper_transcriber.domain.job import Job
from whisper_transcriber.store.hooks import LISTED, Outbox


class MemoryHooks:
    """Deliveries of one process, by job, oldest first; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.deliveries: defaultdict[UUID, dict[UUID, Delivery]] = defaultdict(dict)

    def announce(self, job: Job) -> None:
        """Record that a job has ended, if somebody wants to hear of it."""
        event, now = event_of(job), self._now()
        if event is not None and job.webhook is not None:
            hook = job.webhook
            made = Delivery(uuid4(), job.id, job.tenant, hook.url, event, about(job), now, hook.transcript, next_at=now)
            self.deliveries[job.id][made.id] = made

    async def of(self, job: UUID) -> Sequence[Delivery]:
        return [*self.deliveries.get(job, {}).values()][::-1][:LISTED]

    async def claim(self, lease: float) -> Delivery | None:
        now = self._now()
        busy = [each for each in self._all() if _held(each, now)]
        tenants, hosts = Counter(each.tenant for each in busy), Counter(each.host for each in busy)
        due = self._due(now)
        if not due:
            return None
        found = min(due, key=lambda each: (tenants[each.tenant], hosts[each.host], each.next_at))
        until = now + timedelta(seconds=lease)
        return await self._put(replace(found, attempts=found.attempts + 1, fence=found.fence + 1, lease_until=until))

    async def record(self, delivery: Delivery, attempt: Attempt, again: float | None) -> bool:
        known = self.deliveries.get(delivery.job, {}).get(delivery.id)
        if known is None or known.fence != delivery.fence or known.lease_until is None:
            return False
        log = (*known.log, attempt)[-LOGGED:]
        if again is None:
            over = replace(known, status="delivered" if attempt.ok else "failed", next_at=None)
            await self._put(replace(over, lease_until=None, log=log))
        else:
            next_at = self._now() + timedelta(seconds=again)
            await self._put(replace(known, next_at=next_at, lease_until=None, log=log))
        return True

    async def redeliver(self, job: UUID, delivery: UUID) -> Delivery | None:
        known = self.deliveries.get(job, {}).get(delivery)
        if known is None:
            return None
        fresh = replace(known, status="pending", attempts=0, next_at=self._now(), lease_until=None)
        return await self._put(replace(fresh, fence=known.fence + 1))

    async def outbox(self) -> Outbox:
        now = self._now()
        pending = [each.next_at for each in self._all() if each.status == "pending" and each.next_at]
        due = [time for time in pending if time <= now]
        return Outbox(len(pending), len(due), (now - min(due, default=now)).total_seconds())

    async def _put(self, delivery: Delivery) -> Delivery:
        self.deliveries[delivery.job][delivery.id] = delivery
        await self._changed(delivery.job)
        return delivery

    async def _changed(self, job: UUID) -> None:
        """For a store that writes it down."""

    def _all(self) -> Iterator[Delivery]:
        return (each for deliveries in self.deliveries.values() for each in deliveries.values())

    def _due(self, now: datetime) -> list[Delivery]:
        pending = [each for each in self._all() if each.status == "pending" and not _held(each, now)]
        return [each for each in pending if each.next_at and each.next_at <= now]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _held(delivery: Delivery, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until >= now
