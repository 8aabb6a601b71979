"""What single calls cost: processor time of the API server and its etcd, and of the client."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks import fleet
from services.operator_process import connected
from testbed import light_control_plane
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import EVENT, SECRET, Manifest

AT_ONCE = 8
NAMESPACE = "default"
_CONDITIONS = (
    "Ready",
    "Reconciling",
    "Stalled",
    "DatabaseReady",
    "QueueReady",
    "ObjectsReady",
    "ApiReady",
    "WorkersReady",
)

Call = Callable[[], Awaitable[object]]


async def costs(count: int) -> list[str]:
    """A Markdown table: each call `count` times, those of children once for each of a quarter as many transcribers."""
    with light_control_plane() as kubeconfig:
        async with connected(kubeconfig) as cluster:
            await fleet.apply_all(cluster, [fleet.children("warm", NAMESPACE)])
            lines = ["| call | server's ms | client's ms |", "|---|---|---|"]
            for name, calls in _calls(cluster, count):
                lines.append(f"| {name} | {await _measured(kubeconfig, calls)} |")
            return lines


def _calls(cluster: LiveCluster, count: int) -> Iterable[tuple[str, list[Call]]]:
    names = [f"t{n}" for n in range(count)]
    yield "apply WhisperTranscriber", [partial(cluster.apply, fleet.transcriber(name, NAMESPACE)) for name in names]
    yield "get WhisperTranscriber", [partial(cluster.get, fleet.TRANSCRIBER, NAMESPACE, name) for name in names]
    for step in ("first", "next"):
        yield f"apply {step} status", [partial(cluster.apply_status, _status(name, step)) for name in names]
    yield "create Event", [partial(cluster.create, _event(name)) for name in names]
    for verb in ("create", "apply"):
        by_kind: dict[str, list[Call]] = {}
        for number in range(max(1, count // 4)):
            for child in fleet.children(f"{verb}-{number}", NAMESPACE):
                made = partial(cluster.apply, child, new=verb == "create")
                by_kind.setdefault(child["kind"], []).append(
                    partial(cluster.create, child) if child["kind"] == SECRET.name else made
                )
        for kind, calls in by_kind.items():
            if (verb, kind) != ("apply", SECRET.name):  # never applied
                yield f"{verb} {kind}", calls


async def _measured(kubeconfig: Path, calls: list[Call]) -> str:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(call: Call) -> None:
        async with turns:
            await call()

    served, worked = fleet.servers(kubeconfig), time.process_time()
    await asyncio.gather(*map(one, calls))
    served, worked = fleet.servers(kubeconfig) - served, time.process_time() - worked
    return f"{1000 * served / len(calls):.1f} | {1000 * worked / len(calls):.1f}"


def _status(name: str, reason: str) -> Manifest:
    body = fleet.transcriber(name, NAMESPACE)
    about = {"status": "False", "reason": reason, "message": f"A sentence of the {reason} status, as long as most are."}
    when = {"observedGeneration": 1, "lastTransitionTime": "2026-05-01T12:00:00Z"}
    conditions = [{"type": kind, **about, **when} for kind in _CONDITIONS]
    status = {
        "observedGeneration": 1,
        "conditions": conditions,
        "model": "base",
        "workers": {"replicas": 1, "ready": 0},
    }
    meta = {key: body["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "status": status}


def _event(name: str) -> Manifest:
    kind = fleet.TRANSCRIBER
    regarding = {"apiVersion": kind.api_version, "kind": kind.name, "name": name, "namespace": NAMESPACE, "uid": name}
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{name}.1", "namespace": NAMESPACE},
        "eventTime": "2026-05-01T12:00:00.000000Z",
        "reportingController": "whisper-operator.dev/operator",
        "reportingInstance": "benchmark",
        "action": "Apply",
        "regarding": regarding,
        "reason": "Created",
        "note": "Created " + ", ".join(f"NetworkPolicy {name}-{n}" for n in range(33)),
        "type": "Normal",
    }
