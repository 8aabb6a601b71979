"""What a worker has in hand of long files: enough to keep it busy, and the rest is left to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.domain.parts import PartRules
from whisper_transcriber.domain.window import FRAME
from whisper_transcriber.settings import Settings
from whisper_transcriber.worker.effort import Effort

_PARTS: Final = 2


def longest(settings: Settings) -> float:
    """From how many seconds on a file is long."""
    return PartRules.of(settings.part_seconds).longest * FRAME / SAMPLE_RATE


class Desk:
    """One part at a time is cut into windows here, and one long file at a time into parts.

    While the last windows of a part are computed the next one is begun, so that there is no gap between them. A file
    that is so long that enough of its parts wait is `paused`: it takes no claim's place meanwhile, and another one may
    be opened, as long as there are not too many.
    """

    def __init__(self) -> None:
        self.opening = asyncio.Lock()
        self.freed = asyncio.Event()
        self.effort = Effort()
        self._parts: set[object] = set()
        self._cutting: set[object] = set()
        self.paused = 0

    def most(self, settings: Settings) -> tuple[bool, float | None]:
        """What may be claimed now: whether parts too, and the longest file to open (None: any)."""
        parts = not self._cutting and len(self._parts) < _PARTS
        opening = self.opening.locked() or self.paused >= settings.claims
        return parts, longest(settings) if opening else None

    @asynccontextmanager
    async def pausing(self) -> AsyncIterator[None]:
        """While the block lasts, what is being opened waits, and somebody else may open a file."""
        self.opening.release()
        self.paused += 1
        self.freed.set()
        try:
            yield
        finally:
            self.paused -= 1
            await self.opening.acquire()

    def take(self, claim: Claim) -> None:
        """Put a claim on the desk."""
        self.effort.take()
        if claim.part is not None:
            self._parts.add(claim.key)
            self._cutting.add(claim.key)

    def cut(self, claim: Claim) -> None:
        """All windows of this part are on their way."""
        self._cutting.discard(claim.key)
        self.freed.set()

    def off(self, claim: Claim) -> None:
        """Take a claim off the desk, whether it is done or not."""
        self.effort.off()
        self._parts.discard(claim.key)
        self.cut(claim)
