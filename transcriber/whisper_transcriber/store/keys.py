"""What the service needs of its store of API keys and tenants. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from whisper_transcriber.domain.keys import ApiKey, NewKey, Use
from whisper_transcriber.domain.webhooks import Signing

RATE_SECONDS: Final = 60.0
"""A key may make at once what it may make in so long; then one more after each share of it."""


class Keys(Protocol):
    """API keys by the hash of their secret, what was used of their limits, and how long tenants keep their jobs."""

    async def add(self, new: NewKey, digest: bytes, start: str) -> ApiKey:
        """Record a key."""

    async def use(self, digest: bytes) -> Use | None:
        """Count a request with the key; one that is revoked, expired or over its limit counts nothing.

        None if there is no such key.
        """

    async def audio_used(self, key: UUID) -> float:
        """Seconds of audio of the key's jobs that ended today (UTC), and of those not ended, as far as is known."""

    async def list(self) -> Sequence[ApiKey]:
        """All keys, newest first, revoked ones too."""

    async def get(self, key: UUID) -> ApiKey | None:
        """One key."""

    async def revoke(self, key: UUID) -> ApiKey | None:
        """End a key at once, for ever; returns it as it stands."""

    async def retention(self, tenant: str) -> int | None:
        """Seconds that the tenant's jobs are kept after their end; None: what the service says."""

    async def keep(self, tenant: str, seconds: int | None) -> None:
        """Set that."""

    async def signing(self, tenant: str) -> Signing:
        """Which of the tenant's webhook secrets are in use."""

    async def rotate(self, tenant: str, overlap: float) -> Signing:
        """Begin the tenant's next webhook secret; the one before signs for `overlap` seconds more, older ones end."""
