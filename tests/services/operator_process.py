"""`whisper-operator run` as a process of its own, and waiting for what it does by Kubernetes watches."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from services.servers import free_port
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import Kind, Manifest

CRDS = Path(__file__).parents[2] / "crds"
CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")


@dataclass
class Process:
    """One operator. `log` is its stderr."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def get(self, path: str) -> tuple[int, str]:
        """GET from its probes' port; (0, "") while nobody listens."""
        try:
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def signal(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[LiveCluster]:
    """Our own client, with the CRDs installed. Its rights are an admin's."""
    live = await LiveCluster.connect(kubeconfig)
    try:
        for path in sorted(CRDS.glob("*.yaml")):
            crd = yaml.safe_load(path.read_text())
            await live.apply({**crd, "metadata": {**crd["metadata"], "namespace": ""}})
            await until(live, CRD, "", crd["metadata"]["name"], established, 30)
        yield live
    finally:
        await live.close()


def established(crd: Manifest | None) -> bool:
    """A CRD that is served."""
    return condition(crd, "Established").get("status") == "True"


@asynccontextmanager
async def operator(kubeconfig: Path, folder: Path, *arguments: str, **env: str) -> AsyncIterator[Process]:
    """Run the operator until the block ends."""
    port = free_port()
    log = folder / f"operator-{port}.log"
    command = [
        sys.executable,
        "-m",
        "whisper_operator",
        "run",
        f"--http-port={port}",
        "--http-host=127.0.0.1",
        *arguments,
    ]
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, stderr=stderr, env={**os.environ, "KUBECONFIG": str(kubeconfig), **env}
        )
    found = Process(process, port, log)
    try:
        yield found
    except BaseException:
        sys.stderr.write(log.read_text())
        raise
    finally:
        if process.returncode is None:
            await found.signal(signal.SIGKILL)


async def until(
    cluster: LiveCluster,
    kind: Kind,
    namespace: str,
    name: str,
    holds: Callable[[Manifest | None], bool],
    seconds: float,
) -> float:
    """Wait until one object (None: absent) fulfils a condition; how long it took, in seconds.

    Raises: AssertionError with the last state seen.
    """
    start, last = time.monotonic(), None
    while time.monotonic() - start < seconds:
        last = await cluster.get(kind, namespace, name)
        if holds(last):
            return time.monotonic() - start
        await asyncio.sleep(0.1)
    raise AssertionError(f"{kind.name} {name} after {seconds} s: {last}")


async def until_answers(process: Process, path: str, seconds: float, holds: Callable[[int, str], bool]) -> None:
    """Wait until a path of the probes' port answers so."""
    start, last = time.monotonic(), (0, "")
    while time.monotonic() - start < seconds:
        last = await process.get(path)
        if holds(*last):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} after {seconds} s: {last}\n{process.log.read_text()}")


def condition(resource: Manifest | None, kind: str) -> dict[str, Any]:
    """The condition of that type, or an empty one."""
    status = (resource or {}).get("status") or {}
    return next((c for c in status.get("conditions") or () if c["type"] == kind), {})
