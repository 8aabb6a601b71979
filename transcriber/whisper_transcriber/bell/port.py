"""What the service needs of a doorbell. A lost ring costs a poll interval, never a job."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

WORK = "work"
"""Rings when a job can be claimed."""

HOOKS = "hooks"
"""Rings when a delivery of a webhook is due."""

BATCHES = "batches"
"""Rings when a batch can be led on."""


def ended(job: UUID) -> str:
    """The topic that rings when this job has ended."""
    return f"ended:{job}"


def moved(job: UUID) -> str:
    """The topic that rings when a window of this job was recorded."""
    return f"moved:{job}"


class Listener(Protocol):
    """An ear on one topic: rings since it was opened, or since the last `heard`, are not missed."""

    async def heard(self, patience: float) -> bool:
        """Wait for a ring, at most `patience` seconds; whether there was one."""


class Bell(Protocol):
    """Rings by topic."""

    async def ring(self, topic: str) -> None:
        """Ring. Never raises and never takes longer than a second: listeners also look by themselves."""

    def listen(self, topic: str) -> AbstractAsyncContextManager[Listener]:
        """Listen from now on: open this first, look second, wait third, and no ring falls between."""

    async def healthy(self) -> bool:
        """Whether rings get through now."""

    async def close(self) -> None:
        """Let go of connections."""
