"""API keys: what each may do, and for whom. The service keeps a hash; the key itself is shown once."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

Scope = Literal["transcribe", "jobs", "webhooks", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("transcribe", "jobs", "webhooks", "admin")
_PREFIX: Final = "wk_"


@dataclass(frozen=True)
class NewKey:
    """A key about to be made. `requests_per_minute` and `audio_seconds_per_day` (UTC) limit it; None: no limit."""

    id: UUID
    name: str
    tenant: str
    scopes: Sequence[Scope]
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    audio_seconds_per_day: int | None = None


@dataclass(frozen=True)
class ApiKey(NewKey):
    """A key as recorded; `start` are its first characters, to tell it from others."""

    start: str = ""
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Use:
    """A request with a key. `wait` 0: it may go on; else so many seconds must pass before one may.

    With a limit, `left` more requests may be made now, and after `full_after` seconds as many as ever.
    """

    key: ApiKey
    usable: bool
    wait: float = 0.0
    left: int | None = None
    full_after: float = 0.0


def new_secret() -> str:
    """A key of 256 random bits, so that a plain SHA-256 of it cannot be guessed."""
    return _PREFIX + secrets.token_urlsafe(32)


def start_of(secret: str) -> str:
    """What may be shown of a key."""
    return secret[: len(_PREFIX) + 4]


def digest(secret: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).digest()
