"""Many custom resources at once: made, waited for, and what was written meanwhile."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.process import running
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.certs import certify
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import SECRET, Changed, Kind, Listed, Manifest
from whisper_operator.plan import Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
TRANSCRIPTION_JOB = Kind("whisper-operator.dev/v1alpha1", "TranscriptionJob")
LABEL = "benchmark"
AT_ONCE = 16
READS = frozenset({"get", "list", "watch", "discover"})


def transcriber(name: str, namespace: str) -> Manifest:
    """`spec: {}`."""
    return _resource(TRANSCRIBER, name, namespace, {})


def job(name: str, namespace: str, of: str) -> Manifest:
    """A TranscriptionJob for the transcriber `of`."""
    source = {"http": {"url": "http://example.test/a.ogg"}}
    return _resource(TRANSCRIPTION_JOB, name, namespace, {"transcriberRef": {"name": of}, "source": source})


def children(name: str, namespace: str) -> list[Manifest]:
    """All that the operator makes for `transcriber(name, namespace)`, in its order."""
    cr = WhisperTranscriber.parse({"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}})
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    plan, certified = PlanSettings(), certify(cr, {}, datetime.now(UTC))
    observed = Observed(children={("Job", migrate(cr, plan)["metadata"]["name"]): done}, bundle=certified.bundle)
    return [*certified.writes, *desired(cr, observed, plan)]


async def apply_all(cluster: LiveCluster, sets: Iterable[Sequence[Manifest]]) -> float:
    """A bare loop: AT_ONCE sets at the same time, each in order; Secrets are created. Returns seconds."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(manifests: Sequence[Manifest]) -> None:
        async with turns:
            for manifest in manifests:
                await (cluster.create if manifest["kind"] == SECRET.name else cluster.apply)(manifest)

    start = time.perf_counter()
    await asyncio.gather(*(one(manifests) for manifests in sets))
    return time.perf_counter() - start


async def until(
    cluster: LiveCluster, kind: Kind, namespace: str, count: int, holds: Callable[[Manifest], bool]
) -> None:
    """Wait until so many resources fulfil a condition."""
    good: set[str] = set()
    async for news in cluster.watch(kind, namespace, LABEL):
        match news:
            case Listed(objects, _):
                good = {found["metadata"]["name"] for found in objects if holds(found)}
            case Changed(found, _):
                (good.add if holds(found) else good.discard)(found["metadata"]["name"])
        if len(good) >= count:
            return


def condition(of: str, *reasons: str) -> Callable[[Manifest], bool]:
    """Whether the condition `of` is True, or has one of these reasons."""

    def holds(found: Manifest) -> bool:
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(c["type"] == of and (c["status"] == "True" or c["reason"] in reasons) for c in conditions)

    return holds


def calls(metrics: str) -> Counter[tuple[str, str]]:
    """The operator's calls so far, by verb and kind, from its metrics."""
    found: Counter[tuple[str, str]] = Counter()
    for line in metrics.splitlines():
        if line.startswith("whisper_operator_api_calls_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            found[labels["verb"], labels["kind"]] += int(float(line.split()[-1]))
    return found


def split(found: Mapping[tuple[str, str], int]) -> tuple[int, int]:
    """Reading and writing calls, without the Lease's."""
    mine = {key: count for key, count in found.items() if key[1] != "Lease"}
    reads = sum(count for (verb, _), count in mine.items() if verb in READS)
    return reads, sum(mine.values()) - reads


def memory(pid: int) -> tuple[int, int]:
    """Resident memory of a process in MiB: now, and at its highest."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, peak = (int(re.findall(rf"{key}:\s+(\d+) kB", text)[0]) for key in ("VmRSS", "VmHWM"))
    return now // 1024, peak // 1024


def processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def servers(kubeconfig: Path) -> float:
    """Processor seconds so far of the light control plane with this kubeconfig: its API server and etcd."""
    both = (running(kubeconfig.parent / "pids" / name) for name in ("apiserver", "etcd"))
    return sum(processor(each.pid) for each in both if each)


def _resource(kind: Kind, name: str, namespace: str, spec: Mapping[str, Any]) -> Manifest:
    meta = {"name": name, "namespace": namespace, "labels": {LABEL: "yes"}}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": dict(spec)}
