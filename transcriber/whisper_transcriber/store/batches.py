"""What the service needs of its store of batches. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from whisper_transcriber.domain.batches import Batch


class Batches(Protocol):
    """Batches, each worked at by whoever has claimed it. Leases are seconds of the store's own clock."""

    async def add(self, batch: Batch) -> None:
        """Record a batch, due at once."""

    async def get(self, batch: UUID) -> Batch | None:
        """The batch as it stands."""

    async def list(self, tenant: str, limit: int, after: UUID | None = None) -> Sequence[Batch]:
        """At most `limit` batches of a tenant, newest first, those that follow `after`."""

    async def cancel(self, batch: UUID) -> Batch | None:
        """Ask for the end of a batch that has not ended: it is due now, or whoever has it hears of it at its next step.

        Returns it as it stands.
        """

    async def claim(self, lease: float) -> Batch | None:
        """Take the batch that has been due for longest; what is not released by then is due again."""

    async def renew(self, batch: Batch, lease: float) -> bool:
        """Hold on to it for another `lease` seconds; False if it is somebody else's by now, or gone."""

    async def save(self, batch: Batch, lease: float) -> Batch | None:
        """Record where it stands, and hold on to it. Returns it as it is then, asked to end or not; None as `renew`.

        One that has ended is released, and never due again.
        """

    async def release(self, batch: Batch, again: float) -> None:
        """Let anybody claim it after so many seconds; nothing if it is somebody else's by now."""

    async def open(self) -> int:
        """How many have not ended."""

    async def abandoned(self, kept: float | None = None) -> Sequence[Batch]:
        """Those that ended more than `kept` seconds ago (None: never), or than their tenant says."""

    async def delete(self, batch: UUID) -> None:
        """Forget a batch."""
