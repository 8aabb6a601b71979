"""What the API and the worker are given: the ports, the settings, and a few things both do with them."""

from dataclasses import dataclass
from functools import cached_property

from whisper_transcriber.bell.port import Bell
from whisper_transcriber.deps.catalogue import Catalogue
from whisper_transcriber.deps.looks import Looks
from whisper_transcriber.deps.room import Room
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.objects.port import Objects
from whisper_transcriber.settings import Settings
from whisper_transcriber.store.port import Store
from whisper_transcriber.tracing import OFF, Tracing

__all__ = ["Catalogue", "Deps"]


@dataclass(frozen=True)
class Deps:
    """One process's way to everything outside it."""

    settings: Settings
    store: Store
    bell: Bell
    objects: Objects
    metrics: Metrics
    models: Catalogue
    tracing: Tracing = OFF

    @cached_property
    def looks(self) -> Looks:
        """The process's one way to follow jobs."""
        return Looks(self.store)

    @cached_property
    def room(self) -> Room:
        """What the process holds of uploads at once."""
        return Room(self.settings.upload_memory_bytes)

    async def close(self) -> None:
        """Let go of all connections."""
        await self.tracing.close()
        await self.bell.close()
        await self.store.close()
