"""Kinds whose CRDs may be missing: made when they appear, asked for by nobody meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from services.servers import until
from whisper_operator.cluster.port import POD_MONITOR, SERVICE_MONITOR, Kind
from whisper_operator.handlers import Operator, feed
from whisper_operator.metrics import RECONCILE_SECONDS
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")


def looks() -> float:
    """How often transcribers have been looked at in this process."""
    return sum(
        sample.value
        for metric in RECONCILE_SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_count") and sample.labels["kind"] == TRANSCRIBER.name
    )


async def test_monitors_come_once_their_crds_do(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK", 0.01)
    asked: list[Kind] = []
    serves = world.cluster.serves

    async def counted(kind: Kind) -> bool:
        asked.append(kind)
        return bool(await serves(kind))

    monkeypatch.setattr(world.cluster, "serves", counted)
    await world.settle()
    async with Transcripts("http://{name}") as api:
        operator = Operator(world.cluster, api, Settings(identity="test", debounce=0.0))
        await operator.start()
        try:
            body = await world.cluster.get(TRANSCRIBER, "ns", "main")
            operator.transcriber_event("ADDED", body)
            before = looks()
            asked.clear()

            async def looked() -> bool:
                return looks() > before and asked.count(SERVICE_MONITOR) >= 3

            await until(looked, "a look at the transcriber, and three for the CRD", 5)
            assert not world.cluster.names(SERVICE_MONITOR)
            world.cluster.appear(SERVICE_MONITOR)

            async def made() -> bool:
                return bool(world.cluster.names(SERVICE_MONITOR))

            await until(made, "a ServiceMonitor", 5)
            assert not world.cluster.names(POD_MONITOR)
        finally:
            await operator.close()


async def test_keda_that_is_not_there_is_said(world: Any) -> None:
    auto = {"provider": "keda", "min": 0, "max": 4}
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": auto}}})
    await world.settle()
    told = world.cluster["WhisperTranscriber", "main"]["status"]["workers"]["autoscaling"]
    assert (told["desired"], told["reason"]) == (1, "KedaNotFound")
