"""Deliveries of webhooks in memory: the same promises as PostgreSQL's, kept by the same contract tests."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from whisper_transcriber.domain.deliveries import LOGGED, Attempt, Delivery, about, event_of
from whisper_transcriber.domain.job import Job
from whisper_transcriber.domain.webhooks import EVENTS, Endpoint, Webhook
from whisper_transcriber.store.hooks import ENDPOINTS, LISTED, Outbox


class MemoryHooks:
    """Deliveries of one process, by job, oldest first; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.deliveries: defaultdict[UUID, dict[UUID, Delivery]] = defaultdict(dict)
        self.known: dict[UUID, Endpoint] = {}

    def announce(self, job: Job, *, synchronous: bool) -> None:
        """Record that a job has ended, if somebody wants to hear of it; of a synchronous one no endpoint does."""
        if job.webhook is not None:
            self._tell(job, job.webhook, None)
        if job.output is not None:
            self._tell(job, Webhook(job.output.url, EVENTS[:1]), None)
        if not synchronous:
            for each in self.known.values():
                if each.tenant == job.tenant and each.disabled_at is None:
                    self._tell(job, each.webhook, each.id)

    def _tell(self, job: Job, to: Webhook, endpoint: UUID | None) -> None:
        event, now = event_of(job, to), self._now()
        if event is not None:
            made = Delivery(uuid4(), job.id, job.tenant, to.url, event, about(job), now, to.transcript, next_at=now)
            self.deliveries[job.id][made.id] = replace(made, endpoint=endpoint)

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
        taken = replace(found, attempts=found.attempts + 1, fence=found.fence + 1)
        return await self._put(replace(taken, lease_until=until, next_at=until))

    async def record(self, delivery: Delivery, attempt: Attempt, again: float | None) -> bool:
        known = self.deliveries.get(delivery.job, {}).get(delivery.id)
        if known is None or known.fence != delivery.fence or known.lease_until is None:
            return False
        log = (*known.log, attempt)[-LOGGED:]
        there = self.known.get(known.endpoint) if known.endpoint else None
        if attempt.gone and there is not None:
            self.known[there.id] = replace(there, disabled_at=there.disabled_at or self._now())
            await self._endpoints_changed()
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

    async def add(self, endpoint: UUID, tenant: str, webhook: Webhook) -> Endpoint | None:
        if len(await self.endpoints(tenant)) >= ENDPOINTS:
            return None
        made = self.known[endpoint] = Endpoint(endpoint, tenant, webhook, self._now())
        await self._endpoints_changed()
        return made

    async def endpoints(self, tenant: str) -> Sequence[Endpoint]:
        return [each for each in self.known.values() if each.tenant == tenant]

    async def change(self, tenant: str, endpoint: UUID, webhook: Webhook, *, enabled: bool) -> Endpoint | None:
        found = self.known.get(endpoint)
        if found is None or found.tenant != tenant:
            return None
        disabled_at = None if enabled else found.disabled_at or self._now()
        changed = self.known[endpoint] = replace(found, webhook=webhook, disabled_at=disabled_at)
        await self._endpoints_changed()
        return changed

    async def remove(self, tenant: str, endpoint: UUID) -> bool:
        found = self.known.get(endpoint)
        if found is None or found.tenant != tenant:
            return False
        del self.known[endpoint]
        await self._endpoints_changed()
        for each in [each for each in self._all() if each.endpoint == endpoint]:
            del self.deliveries[each.job][each.id]
            await self._changed(each.job)
        return True

    async def outbox(self) -> Outbox:
        now = self._now()
        pending = [each for each in self._all() if each.status == "pending"]
        due = [each for each in pending if each.lease_until or (each.next_at and each.next_at <= now)]
        oldest = min((each.next_at for each in due if each.next_at), default=now)
        return Outbox(len(pending), len(due), max((now - oldest).total_seconds(), 0.0))

    async def _put(self, delivery: Delivery) -> Delivery:
        self.deliveries[delivery.job][delivery.id] = delivery
        await self._changed(delivery.job)
        return delivery

    async def _changed(self, job: UUID) -> None:
        """For a store that writes it down."""

    async def _endpoints_changed(self) -> None:
        """The same."""

    def _all(self) -> Iterator[Delivery]:
        return (each for deliveries in self.deliveries.values() for each in deliveries.values())

    def _due(self, now: datetime) -> list[Delivery]:
        return [each for each in self._all() if each.status == "pending" and each.next_at and each.next_at <= now]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _held(delivery: Delivery, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until >= now
