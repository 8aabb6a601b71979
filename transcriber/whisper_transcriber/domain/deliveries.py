"""Deliveries of webhooks: what is sent, what came of it, and when it is tried again. Pure."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from whisper_transcriber.domain.job import Job, Status
from whisper_transcriber.domain.outputs import SCHEME
from whisper_transcriber.domain.webhooks import PREFIX, Event, Webhook, signatures

DeliveryStatus = Literal["pending", "delivered", "failed"]
JITTER: Final = 0.2
"""Up to so much of each pause is added to it, so that what failed together does not come back together."""

LONGEST_WAIT: Final = 86400.0
"""A receiver's Retry-After is believed up to this."""

LOGGED: Final = 50
"""How many tries of a delivery are remembered, the newest."""

TRANSCRIPT_CHARACTERS: Final = 1024**2
"""A longer transcript is not put into an event."""

_EVENTS: Final[Mapping[Status, Event]] = {
    "succeeded": "transcription.job.completed",
    "failed": "transcription.job.failed",
    "cancelled": "transcription.job.cancelled",
}


@dataclass(frozen=True)
class Attempt:
    """One try: when it began, how long it took (s), and the receiver's status or why there was none."""

    at: datetime
    seconds: float
    status_code: int | None = None
    error: str | None = None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants to hear of nothing any more."""
        return self.status_code == 410

    @property
    def ok(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True)
class Delivery:
    """An event, or a result for a bucket, on its way to one URL.

    Whoever tries it holds it until `lease_until`; `fence` counts those holds.

    `endpoint` is the tenant's that is told; None: the job's own webhook. `data` is of the job as it ended, `attempts`
    are those since it was last asked for, `log` are all that are known.
    """

    id: UUID
    job: UUID
    tenant: str
    url: str
    type: Event
    data: Mapping[str, Any]
    created_at: datetime
    transcript: bool = False
    status: DeliveryStatus = "pending"
    attempts: int = 0
    next_at: datetime | None = None
    lease_until: datetime | None = None
    fence: int = 0
    endpoint: UUID | None = None
    log: tuple[Attempt, ...] = ()

    @property
    def event_id(self) -> str:
        """The event's id, and the delivery's: the same at every try."""
        return f"evt_{self.id.hex}"

    @property
    def written(self) -> bool:
        """Whether it is the job's result on its way into a bucket, rather than an event."""
        return self.url.startswith(SCHEME)

    @property
    def host(self) -> str:
        """Whom it goes to."""
        return urlsplit(self.url).netloc


def event_of(job: Job, webhook: Webhook) -> Event | None:
    """What a job's end is called, if the webhook wants to hear of it."""
    event = _EVENTS.get(job.status)
    return event if event in webhook.events else None


def about(job: Job) -> dict[str, Any]:
    """The `data` of an event: the job as it ended, in a few words."""
    return {
        "id": str(job.id),
        "status": job.status,
        "model": job.request.model,
        "language": job.language or job.request.options.language,
        "audio_seconds": job.audio_seconds,
        "metadata": dict(job.metadata),
        "error": {"code": job.failure.code, "message": job.failure.message} if job.failure else None,
        "created_at": int(job.created_at.timestamp()),
        "finished_at": None if job.finished_at is None else int(job.finished_at.timestamp()),
    }


def body(delivery: Delivery, url: str, transcript: str | None) -> bytes:
    """The event as JSON, the same at every try; `url` is before the path of the result, if anybody knows it."""
    done = delivery.type == "transcription.job.completed"
    data = dict(delivery.data) | {"result": f"{url.rstrip('/')}/v1/jobs/{delivery.job}/result" if done else None}
    if delivery.transcript and done:
        data["transcript"] = transcript if transcript is None or len(transcript) <= TRANSCRIPT_CHARACTERS else None
    event = {
        "id": delivery.event_id,
        "object": "event",
        "type": delivery.type,
        "created_at": int(delivery.created_at.timestamp()),
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def headers(delivery: Delivery, secrets: Sequence[str], now: datetime, said: bytes) -> dict[str, str]:
    """The headers of one try, by Standard Webhooks, for the body `said`."""
    timestamp = int(now.timestamp())
    raw = [b64decode(secret.removeprefix(PREFIX)) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(raw, delivery.event_id, timestamp, said),
    }


def pause(
    attempts: int, attempt: Attempt, retry_after: float, schedule: Sequence[float], spread: float
) -> float | None:
    """Seconds until the next try after the last of so many; None: it was taken, or is given up.

    `retry_after` is what the receiver asked for (s), `spread` a random number from 0 to 1.
    """
    if attempt.ok or attempt.gone or attempts > len(schedule):
        return None
    wait = schedule[max(attempts, 1) - 1] * (1 + JITTER * spread)
    return max(wait, min(retry_after, LONGEST_WAIT))
