"""A TranscriptionJob before its transcriber's API over real HTTP, in a cluster in memory."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from services.transcriber_api import TranscriberApi
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.jobs import TRANSCRIPTION_JOB, Keys, follow
from whisper_operator.reconcile import Outcome
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HTTP = {"http": {"url": "http://example.test/a.ogg"}}


class Desk:
    """One TranscriptionJob, the API it goes to, and the clock."""

    def __init__(self, server: TranscriberApi, api: Transcripts) -> None:
        self.cluster, self.server, self.api = FakeCluster(), server, api
        self.keys, self.now = Keys(self.cluster), NOON

    async def apply(self, source: Any = HTTP, **spec: Any) -> None:
        meta = {"name": "clip", "namespace": "ns"}
        body = {"transcriberRef": {"name": "main"}, "source": source, **spec}
        await self.cluster.apply(
            {"apiVersion": TRANSCRIPTION_JOB.api_version, "kind": "TranscriptionJob", "metadata": meta, "spec": body}
        )

    async def look(self) -> Outcome:
        settings = Settings(identity="test")
        return await follow(self.cluster, self.api, self.keys, "ns", "clip", settings, self.now)

    @property
    def body(self) -> dict[str, Any]:
        return self.cluster["TranscriptionJob", "clip"]

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["status"]
        return found

    @property
    def succeeded(self) -> tuple[str, str]:
        return self.condition("Succeeded")

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of the condition of that type, which has seen the newest spec."""
        (found,) = [condition for condition in self.status["conditions"] if condition["type"] == kind]
        assert found["observedGeneration"] == self.body["metadata"]["generation"]
        return found["status"], found["reason"]

    async def secret(self, key: str) -> None:
        data = {"api-key": base64.b64encode(key.encode()).decode()}
        meta = {"name": "main-api-key", "namespace": "ns"}
        await self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
