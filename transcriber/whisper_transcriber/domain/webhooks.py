"""Webhooks: who is told of a job's end, and how that is signed (https://www.standardwebhooks.com). Pure."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

Event = Literal["transcription.job.completed", "transcription.job.failed", "transcription.job.cancelled"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
PREFIX: Final = "whsec_"


@dataclass(frozen=True)
class Webhook:
    """Whom a job tells of its end: `url` gets those `events`, with the `transcript` in them if that is asked for."""

    url: str
    events: tuple[Event, ...] = EVENTS
    transcript: bool = False


@dataclass(frozen=True)
class Endpoint:
    """A webhook of all jobs of a tenant, but those that a request waits for. `disabled_at`: it is told no more."""

    id: UUID
    tenant: str
    webhook: Webhook
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True)
class Signing:
    """How often a tenant's secret was replaced, and until when the one before signs too."""

    generation: int = 0
    previous_until: datetime | None = None

    def live(self, now: datetime) -> tuple[int, ...]:
        """The generations that sign now, the newest first."""
        before = self.previous_until is not None and self.previous_until > now
        return (self.generation, self.generation - 1) if before else (self.generation,)


def secret(root: str, tenant: str, generation: int) -> str:
    """A tenant's secret as its receivers are given it. It follows from the service's own, so that nobody keeps it."""
    key = hmac.digest(root.encode(), f"{tenant}\n{generation}".encode(), "sha256")
    return PREFIX + b64encode(key).decode()


def keys(roots: Sequence[str], tenant: str, signing: Signing, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first; of several `roots` the first is the newest."""
    return [secret(root, tenant, generation) for generation in signing.live(now) for root in roots]


def signatures(secrets: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one for each of the secrets, given as bytes; `timestamp` is in Unix seconds."""
    said = f"{id_}.{timestamp}.".encode() + body
    return " ".join("v1," + b64encode(hmac.digest(key, said, "sha256")).decode() for key in secrets)
