"""Who leads of several operators, each a real process."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from services.operator_process import (
    Process,
    exists,
    operator,
    resource,
    until,
    until_answers,
)
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import (
    LEASE,
    SERVICE,
    Manifest,
)


async def leading(process: Process) -> None:
    await until_answers(process, "/metrics", 30, lambda _, text: "whisper_operator_leader 1.0" in text)


async def test_the_standby_is_ready_and_takes_over_from_a_killed_leader(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease) as first:
        await leading(first)
        async with operator(control_plane, tmp_path, *lease) as second:
            await until_answers(second, "/readyz", 20, lambda status, _: status == 200)
            assert "whisper_operator_leader 0.0" in (await second.get("/metrics"))[1]
            await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 20)
            await first.signal(signal.SIGKILL)
            killed = time.monotonic()
            await cluster.delete(SERVICE, "default", f"{transcriber}-api")
            await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 15)
            assert time.monotonic() - killed < 15


async def test_sigterm_gives_the_lead_back_at_once(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease) as first:
        await leading(first)
        async with operator(control_plane, tmp_path, *lease) as second:
            await until_answers(second, "/readyz", 20, lambda status, _: status == 200)
            asked = time.monotonic()
            assert await first.signal(signal.SIGTERM) == 0
            await leading(second)
            assert time.monotonic() - asked < 6


async def test_a_leader_whose_lease_is_taken_ends_with_an_error(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    name = lease[0].partition("=")[2]
    async with operator(control_plane, tmp_path, *lease) as process:
        await leading(process)
        thief: Manifest = {
            "holderIdentity": "thief",
            "leaseDurationSeconds": 60,
            "renewTime": "2026-05-01T12:00:00.000000Z",
        }
        await cluster.apply(resource(LEASE, name, **thief))
        async with asyncio.timeout(8):
            assert await process.process.wait() == 1
