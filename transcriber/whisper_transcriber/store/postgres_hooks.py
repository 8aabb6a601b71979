"""Deliveries of webhooks in PostgreSQL; a trigger makes them, see `sql/migrations/0009_webhooks.sql`."""

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.deliveries import LOGGED, Attempt, Delivery
from whisper_transcriber.store.database import Database
from whisper_transcriber.store.hooks import LISTED, Outbox
from whisper_transcriber.store.rows import Row

_ATTEMPT = TypeAdapter(Attempt)
_LOG = TypeAdapter(tuple[Attempt, ...])
_SAME = (
    *("id", "tenant", "url", "type", "created_at", "transcript", "status", "attempts", "next_at", "lease_until"),
    "fence",
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
        arguments = (delivery.id, delivery.fence, ended, wait, said, LOGGED)
        return await self._database.row("delivery_record", *arguments) is not None

    async def redeliver(self, job: UUID, delivery: UUID) -> Delivery | None:
        row = await self._database.row("delivery_again", job, delivery)
        return _delivery(row) if row else None

    async def outbox(self) -> Outbox:
        row = await self._database.row("outbox")
        return Outbox(row["pending"], row["due"], float(row["oldest"])) if row else Outbox()


def _delivery(row: Row) -> Delivery:
    log, data = _LOG.validate_json(row["log"]), json.loads(row["data"])
    return Delivery(job=row["job_id"], data=data, log=log, **{name: row[name] for name in _SAME})
