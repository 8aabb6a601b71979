"""`whisper-operator run` as a process of its own, and waiting for what it does by Kubernetes watches."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml

from services.servers import free_port
from services.servers import until as eventually
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import DEPLOYMENT, JOB, STATEFUL_SET, Kind, Manifest
from whisper_operator.errors import Rejected

T = TypeVar("T")
CRDS = Path(__file__).parents[2] / "crds"
CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
TRANSCRIPTION_JOB = Kind("whisper-operator.dev/v1alpha1", "TranscriptionJob")


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
        for kind in (TRANSCRIBER, TRANSCRIPTION_JOB):  # established is not yet to be found by discovery
            await eventually(lambda kind=kind: live.serves(kind), f"{kind.name} to be served", 30)  # type: ignore[misc]
        yield live
    finally:
        await live.close()


def with_token(admin: Path, token: str, file: Path) -> Path:
    """The admin's kubeconfig with the token in place of the admin's certificate."""
    config = yaml.safe_load(admin.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    return file


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
    start = time.monotonic()
    await _polled(lambda: cluster.get(kind, namespace, name), holds, f"{kind.name} {name}", seconds)
    return time.monotonic() - start


async def until_answers(process: Process, path: str, seconds: float, holds: Callable[[int, str], bool]) -> None:
    """Wait until a path of the probes' port answers so."""
    try:
        await _polled(lambda: process.get(path), lambda last: holds(*last), path, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.log.read_text()}") from None


async def looks(process: Process, more: int) -> None:
    """Wait until the operator has looked at its resources so many more times."""

    def count(text: str) -> float:
        lines = [line for line in text.splitlines() if "_reconcile_seconds_count{" in line]
        return sum(float(line.split()[-1]) for line in lines)

    before = count((await process.get("/metrics"))[1])
    await until_answers(process, "/metrics", 30, lambda _, text: count(text) >= before + more)


def condition(resource: Manifest | None, kind: str) -> dict[str, Any]:
    """The condition of that type, or an empty one."""
    status = (resource or {}).get("status") or {}
    return next((c for c in status.get("conditions") or () if c["type"] == kind), {})


def exists(found: Manifest | None) -> bool:
    """For `until`: it is there."""
    return found is not None


def resource(kind: Kind, name: str, namespace: str = "default", **spec: Any) -> Manifest:
    """A manifest of ours."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": spec}


async def until_ready(cluster: LiveCluster, namespace: str, name: str, seconds: float = 30) -> None:
    """Be the controllers and the kubelet: complete what is there until the operator says Ready."""

    async def look() -> Manifest | None:
        await complete(cluster, namespace, name)
        return await cluster.get(TRANSCRIBER, namespace, name)

    def ready(found: Manifest | None) -> bool:
        said = condition(found, "Ready")
        current = found is not None and said.get("observedGeneration") == found["metadata"]["generation"]
        return current and said["status"] == "True"

    await _polled(look, ready, name, seconds)


async def _polled(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], what: str, seconds: float) -> T:
    """What is seen as soon as it fulfils the condition. Raises: AssertionError with the last that was seen."""
    seen: list[T] = []

    async def fulfilled() -> bool:
        seen[:] = [await look()]
        return holds(seen[0])

    try:
        await eventually(fulfilled, what, seconds)
    except TimeoutError:
        raise AssertionError(f"{what} after {seconds} s: {seen}") from None
    return seen[0]


async def complete(cluster: LiveCluster, namespace: str, name: str) -> None:
    """Every workload of a transcriber is ready, every Job of it complete."""
    labels = {"whisper-operator.dev/transcriber": name}
    for kind in (STATEFUL_SET, DEPLOYMENT):
        for child in await cluster.list(kind, namespace, labels):
            counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), child["spec"]["replicas"])
            await _tell(cluster, kind, child, counts | {"observedGeneration": child["metadata"]["generation"]})
    at = "2026-05-01T12:00:00Z"
    done = [{"type": t, "status": "True", "lastTransitionTime": at} for t in ("SuccessCriteriaMet", "Complete")]
    for job in await cluster.list(JOB, namespace, labels):
        status = {"conditions": done, "startTime": at, "completionTime": at, "succeeded": 1}
        await _tell(cluster, JOB, job, status)


async def _tell(cluster: LiveCluster, kind: Kind, child: Manifest, status: Manifest) -> None:
    meta = {key: child["metadata"][key] for key in ("name", "namespace")}
    manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "status": status}
    try:
        await cluster.apply_status(manifest)
    except Rejected as error:
        if error.reason != "NotFound":  # the operator may prune or replace it meanwhile
            raise
