"""What a worker has in hand of long files: enough to keep it busy, and the rest is left to others."""

import asyncio

from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.domain.parts import PartRules
from whisper_transcriber.domain.window import FRAME
from whisper_transcriber.settings import Settings


def longest(settings: Settings) -> float:
    """From how many seconds on a file is long."""
    return PartRules.of(settings.part_seconds).longest * FRAME / SAMPLE_RATE


class Desk:
    """One part at a time is cut into windows here, and one long file at a time into parts.

    A part that is cut is off the desk, though its last windows are still computed: so the next one follows at once.
    """

    def __init__(self) -> None:
        self.opening = asyncio.Lock()
        self.freed = asyncio.Event()
        self._cutting: set[object] = set()

    def most(self, settings: Settings) -> tuple[bool, float | None]:
        """What may be claimed now: whether parts too, and the longest file to open (None: any)."""
        return not self._cutting, longest(settings) if self.opening.locked() else None

    def take(self, claim: Claim) -> None:
        """Put a claim on the desk."""
        if claim.part is not None:
            self._cutting.add(claim.key)

    def off(self, claim: Claim) -> None:
        """Take it off, whether it is done or not."""
        self._cutting.discard(claim.key)
        self.freed.set()
