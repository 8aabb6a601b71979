"""A cluster in memory with a transcriber in it, and small makers of what a kubelet would write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.transcriber_api import TranscriberApi
from unit.operator_runtime.desk import Desk
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.cluster.port import DEPLOYMENT, JOB, STATEFUL_SET, Kind
from whisper_operator.reconcile import OPTIONAL_KINDS, Applied, Outcome, reconcile
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
Manifest = dict[str, Any]


def transcriber(**spec: Any) -> Manifest:
    return {
        "apiVersion": "whisper-operator.dev/v1alpha1",
        "kind": "WhisperTranscriber",
        "metadata": {"name": "main", "namespace": "ns"},
        "spec": spec,
    }


class World:
    """A fake cluster, one transcriber, and the operator's memory of it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(absent=frozenset(kind.name for kind in OPTIONAL_KINDS))
        self.settings = Settings(identity="test")
        self.applied = Applied()

    def edit(self, **spec: Any) -> None:
        """What a person changes in the transcriber's spec."""
        self.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": spec})

    async def look(self, now: datetime = NOON, **told: Any) -> Outcome:
        return await reconcile(self.cluster, "ns", "main", self.settings, self.applied, now, **told)

    async def settle(self) -> Outcome:
        """Reconcile while a kubelet makes everything ready, until nothing is written any more."""
        for _ in range(10):
            self.kubelet()
            self.cluster.writes.clear()
            outcome = await self.look()
            if not self.cluster.writes:
                return outcome
        raise AssertionError(f"still writing: {self.cluster.writes}")

    def kubelet(self) -> None:
        """Every workload is ready, every Job complete."""
        for kind in (DEPLOYMENT, STATEFUL_SET):
            for name in self.cluster.names(kind):
                live = self.cluster[kind.name, name]
                n = live["spec"].get("replicas", 1)
                counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), n)
                status = {"observedGeneration": live["metadata"]["generation"], **counts}
                self.cluster.edit(kind, "ns", name, {"status": status})
        for name in self.cluster.names(JOB):
            done = {"type": "Complete", "status": "True"}
            self.cluster.edit(JOB, "ns", name, {"status": {"conditions": [done]}})

    def condition(self, kind: str) -> dict[str, Any]:
        status = self.cluster["WhisperTranscriber", "main"]["status"]
        found: dict[str, Any] = next(c for c in status["conditions"] if c["type"] == kind)
        return found


@pytest.fixture
async def world() -> World:
    found = World()
    await found.cluster.create(transcriber())
    found.cluster.writes.clear()
    return found


@pytest.fixture
def make() -> Callable[..., Manifest]:
    return transcriber


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with TranscriberApi().running() as server, Transcripts(server.url) as api:
        yield Desk(server, api)
