"""Deliveries of webhooks in PostgreSQL; a trigger makes them, see `sql/migrations/0009_webhooks.sql`."""

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.deliveries import LOGGED, Attempt, Delivery
from whisper_transcriber.domain.webhooks import Endpoint, Webhook
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.hooks import ENDPOINTS, LISTED, Outbox
from whisper_transcriber.store.rows import Row

_ATTEMPT = TypeAdapter(Attempt)
_LOG = TypeAdapter(tuple[Attempt, ...])
_SAME = (
    *("id", "tenant", "url", "type", "created_at", "transcript", "status", "attempts", "next_at", "lease_until"),
    *("fence", "endpoint"),
)


class PostgresHooks:
    """Deliveries in the table deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, job: UUID) -> Sequence[Delivery]:
        return [_delivery(row) for row in await self._database.rows("delivery_list", job, LISTED)]

    async def claim(self, lease: float) -> Delivery | None:
        row = await self._database.row("delivery_claim", timedelta(seconds=lease))
        return _delivery(row) if row else None

    async def record(self, delivery: Delivery, attempt: Attempt, again: float | None) -> bool:
        ended = None if again is not None else "delivered" if attempt.ok else "failed"
        wait = None if again is None else timedelta(seconds=again)
        said = _ATTEMPT.dump_json(attempt).decode()
        arguments = (delivery.id, delivery.fence, ended, wait, said, LOGGED, attempt.gone)
        return await self._database.row("delivery_record", *arguments) is not None

    async def redeliver(self, job: UUID, delivery: UUID) -> Delivery | None:
        row = await self._database.row("delivery_again", job, delivery)
        return _delivery(row) if row else None

    async def add(self, endpoint: UUID, tenant: str, webhook: Webhook) -> Endpoint | None:
        row = await self._database.row("endpoint_add", endpoint, tenant, *_said(webhook), ENDPOINTS)
        return _endpoint(row) if row else None

    async def endpoints(self, tenant: str) -> Sequence[Endpoint]:
        return [_endpoint(row) for row in await self._database.rows("endpoint_list", tenant)]

    async def change(self, tenant: str, endpoint: UUID, webhook: Webhook, *, enabled: bool) -> Endpoint | None:
        row = await self._database.row("endpoint_change", endpoint, tenant, *_said(webhook), enabled)
        return _endpoint(row) if row else None

    async def remove(self, tenant: str, endpoint: UUID) -> bool:
        return await self._database.row("endpoint_remove", endpoint, tenant) is not None

    async def outbox(self) -> Outbox:
        row = await self._database.row("outbox")
        return Outbox(row["pending"], row["due"], float(row["oldest"] or 0.0)) if row else Outbox()


def _delivery(row: Row) -> Delivery:
    log, data = _LOG.validate_json(row["log"]), json.loads(row["data"])
    return Delivery(job=row["job_id"], data=data, log=log, **{name: row[name] for name in _SAME})


def _said(webhook: Webhook) -> tuple[str, list[str], bool]:
    return webhook.url, list(webhook.events), webhook.transcript


def _endpoint(row: Row) -> Endpoint:
    webhook = Webhook(row["url"], tuple(row["events"]), row["transcript"])
    return Endpoint(row["id"], row["tenant"], webhook, row["created_at"], row["disabled_at"])
