"""How long this worker is busy for a second of audio: learnt from what it finishes, and told to the store."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from whisper_transcriber.deps import Deps
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import Unavailable

log = Log(__name__)
_HALF: Final = 600.0  # seconds of work after which what was learnt counts half
_PAUSE: Final = 5.0


class Effort:
    """Seconds at work, and seconds of audio done in them; both fade with further work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.news = asyncio.Event()
        self._clock = clock
        self._held = 0
        self._since = 0.0
        self._busy = self._audio = 0.0

    def take(self) -> None:
        """One more claim is held."""
        self._settle()
        self._held += 1

    def off(self) -> None:
        """One claim less is held."""
        self._settle()
        self._held -= 1

    def did(self, seconds: float) -> None:
        """So much audio is done for good."""
        self._audio += seconds
        self.news.set()

    @property
    def figures(self) -> tuple[float, float]:
        """Seconds at work and seconds of audio."""
        self._settle()
        return self._busy, self._audio

    def _settle(self) -> None:
        now = self._clock()
        if self._held:
            spent = now - self._since
            fade = 0.5 ** (spent / _HALF)
            self._busy, self._audio = self._busy * fade + spent, self._audio * fade
        self._since = now


async def telling(deps: Deps, effort: Effort, stop: asyncio.Event) -> None:
    """Tell the store whenever there is news, now and then at most, until `stop`."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(effort.news.wait(), 1.0)
        if not effort.news.is_set():
            continue
        effort.news.clear()
        busy, audio = effort.figures
        if audio > 0:
            try:
                await deps.store.pace(deps.settings.worker_id, busy, audio)
            except Unavailable as error:
                log.warning("Could not tell the pace", reason=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PAUSE)
