"""Sending Events: in the background, warnings first, and spread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from whisper_operator.errors import Rejected
from whisper_operator.handlers import recorder


async def test_events_go_out_in_the_background_warnings_first_and_never_more_than_may_wait(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LIMIT", 5)
    found = recorder.Recorder(world.cluster)
    for number in range(7):
        meta = {"name": f"e{number}", "namespace": "ns"}
        kind = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": meta, "regarding": {"name": "main"}}
        found.put({**kind, "type": "Warning" if number == 3 else "Normal"})
    world.cluster.rejects["Event", "e0"] = Rejected("Forbidden", "no right")
    world.cluster.writes.clear()
    found.start()
    for _ in range(20):
        await asyncio.sleep(0)
    await found.close()
    assert [name for _, _, name in world.cluster.writes] == ["e3", "e0", "e1", "e2", "e4"]


async def test_after_a_burst_events_are_spread(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "BURST", 2)
    now, waits = [100.0], []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds
        await asyncio.sleep(0)

    found = recorder.Recorder(world.cluster, clock=lambda: now[0], sleep=sleep)
    for number in range(5):
        meta = {"name": f"e{number}", "namespace": "ns"}
        found.put({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": meta, "type": "Normal"})
    world.cluster.writes.clear()
    found.start()
    for _ in range(20):
        await asyncio.sleep(0)
    await found.close()
    assert len(world.cluster.writes) == 5
    assert waits == pytest.approx([1 / recorder.RATE] * 3)
