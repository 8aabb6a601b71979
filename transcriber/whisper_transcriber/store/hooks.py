"""What the service needs of its store of deliveries of webhooks. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from whisper_transcriber.domain.deliveries import Attempt, Delivery
from whisper_transcriber.domain.webhooks import Endpoint, Webhook

LISTED: Final = 100
"""How many deliveries of a job are listed, the newest."""

ENDPOINTS: Final = 10
"""How many a tenant may have: each job's end is told to all of them."""


@dataclass(frozen=True)
class Outbox:
    """How many deliveries are not over, how many of those are due or being tried, and how long (s) the oldest waits."""

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

        An endpoint that is gone is disabled. False if somebody else has the delivery by now, or nobody: then nothing is
        changed.
        """

    async def redeliver(self, job: UUID, delivery: UUID) -> Delivery | None:
        """Make a delivery due now, with all its tries, whatever came of it; None if the job has none of that id."""

    async def add(self, endpoint: UUID, tenant: str, webhook: Webhook) -> Endpoint | None:
        """Tell this webhook of the tenant's jobs from now on; None if the tenant has `ENDPOINTS` already."""

    async def endpoints(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's, oldest first."""

    async def change(self, tenant: str, endpoint: UUID, webhook: Webhook, *, enabled: bool) -> Endpoint | None:
        """Replace what an endpoint says; what is on its way already goes where it was to go."""

    async def remove(self, tenant: str, endpoint: UUID) -> bool:
        """Forget an endpoint with its deliveries; False if the tenant has none of that id."""

    async def outbox(self) -> Outbox:
        """How much waits."""
