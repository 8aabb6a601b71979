"""API keys and tenants of one machine: MemoryKeys', as one document of the SQLite file."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import TypeAdapter

from whisper_transcriber.domain.keys import ApiKey
from whisper_transcriber.domain.webhooks import Signing
from whisper_transcriber.store.memory_keys import MemoryKeys
from whisper_transcriber.store.memory_rows import Row


@dataclass
class _Document:
    keys: dict[str, ApiKey] = field(default_factory=dict)  # by the hash of the secret, hex
    tenants: dict[str, int] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)  # by key and day
    signings: dict[str, Signing] = field(default_factory=dict)  # by tenant


_DOCUMENT = TypeAdapter(_Document)


class SqliteKeys(MemoryKeys):
    """Keys that `write` puts on the disk whenever they change; what they used goes with the jobs that used it."""

    def __init__(self, clock: Callable[[], float], rows: dict[UUID, Row], write: Callable[[], Awaitable[None]]) -> None:
        super().__init__(clock, rows)
        self._write = write

    async def _changed(self) -> None:
        await self._write()

    def to_json(self) -> str:
        """All of it, as it is now."""
        by_hash = {digest.hex(): self.keys[key] for digest, key in self.digests.items()}
        used = {f"{key}/{day}": seconds for (key, day), seconds in self.used.items() if day == self._day()}
        return _DOCUMENT.dump_json(_Document(by_hash, self.tenants, used, self.signings)).decode()

    def read(self, text: str) -> None:
        """Take over what `to_json` wrote."""
        found = _DOCUMENT.validate_json(text)
        for name, key in found.keys.items():
            self._recorded(bytes.fromhex(name), key)
        self.tenants = found.tenants
        self.signings = found.signings
        for name, seconds in found.used.items():
            key_id, _, day = name.partition("/")
            self.used[UUID(key_id), day] = seconds
