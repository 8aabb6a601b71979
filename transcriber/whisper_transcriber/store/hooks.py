"""What the service needs of its store of deliveries of webhooks. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from whisper_transcriber.domain.deliveries import Attempt, Delivery

LISTED: Final = 100
"""How many deliveries of a job are listed, the newest."""


@dataclass(frozen=True)
class Outbox:
    """How many deliveries are not over; those due, tried now or not; and for how long (s) the oldest of them is."""

    pending: int = 0
    due: int = 0
    oldest_seconds: float = 0.0


class Hooks(Protocol):
    """Deliveries, each recorded in the same step as the end of its job that it tells of."""

    async def of(self, job: UUID) -> Sequence[Delivery]:
        """The deliveries of a job, newest first."""

    async def claim(self, lease: float) -> Delivery | None:
        """Take one that is due for `lease` seconds, and count a try; what is not recorded by then is due again.

        Those first of whose tenant, and then of whose host, the fewest are being tried now.
        """

    async def record(self, delivery: Delivery, attempt: Attempt, again: float | None) -> bool:
        """Log what came of a try; it is due `again` after so many seconds, None ends it.

        False if somebody else has it by now, or it is gone: then nothing is changed.
        """

    async def redeliver(self, job: UUID, delivery: UUID) -> Delivery | None:
        """Make a delivery due now, with all its tries, whatever came of it; None if the job has none of that id."""

    async def outbox(self) -> Outbox:
        """How much waits."""
