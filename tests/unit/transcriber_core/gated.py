"""The scripted engine, going on only when a test lets it: so a test knows what waits while something is computed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from unit.transcriber_core.scripted import Script, ScriptedEngine
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.engine.port import Encoded


class Gated(ScriptedEngine):
    """Begins a batch when it comes and goes on when it is let; what is poisoned, or too much at once, raises."""

    def __init__(self, lanes: int = 1, poison: int | None = None, fits: int = 99, script: Script | None = None) -> None:
        super().__init__(script or ScriptedEngine.script, lanes=lanes)
        self.begun: list[list[float]] = []
        self._poison, self._fits = poison, fits
        self._entered, self._let = threading.Semaphore(0), threading.Semaphore(0)

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        self.begun.append([float(samples[0]) for samples in batch])
        self._entered.release()
        self._let.acquire()
        if self._poison in self.begun[-1]:
            raise RuntimeError("poisoned")
        if len(batch) > self._fits:
            raise RuntimeError("CUDA failed with error out of memory")
        return super().encode(batch, full=full)

    async def entered(self, batches: int = 1) -> None:
        """Wait until so many more batches have begun."""
        for _ in range(batches):
            await asyncio.to_thread(self._entered.acquire)

    def let(self, batches: int = 10_000) -> None:
        """Let so many go on."""
        self._let.release(batches)
