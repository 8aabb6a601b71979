"""Kinds whose CRDs may be missing: made when they appear, asked for by nobody meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.servers import until
from whisper_operator.cluster.port import POD_MONITOR, SERVICE_MONITOR, Kind
from whisper_operator.handlers import Operator, feed
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")


async def test_monitors_come_once_their_crds_do(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK", 0.01)
    await world.settle()
    async with Transcripts("http://{name}") as api:
        operator = Operator(world.cluster, api, Settings(identity="test", debounce=0.0))
        await operator.start()
        try:
            body = await world.cluster.get(TRANSCRIBER, "ns", "main")
            operator.transcriber_event("ADDED", body)
            await asyncio.sleep(0.1)
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
