"""Workloads, pods, claims and Events as a cluster writes them, for the tests of what the operator says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from whisper_operator.judge import Scene, Verdict, survey

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LABEL = "app.kubernetes.io/component"


def workload(
    kind: str, name: str, component: str, *, ready: int = 0, replicas: int = 1, **status: Any
) -> dict[str, Any]:
    counts = {"readyReplicas": ready, "updatedReplicas": ready, "observedGeneration": 1}
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "generation": 1, "labels": {LABEL: component}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": meta,
        "spec": {"replicas": replicas},
        "status": counts | status,
    }


def pod(name: str, component: str, *statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    containers = [{"name": s["name"], "image": f"registry/{s['name']}:1"} for s in statuses]
    return {
        "metadata": {"name": name, "namespace": "ns", "labels": {LABEL: component}},
        "spec": {"containers": containers},
        "status": {"containerStatuses": list(statuses), **status},
    }


def container(
    name: str, *, waiting: str = "", message: str = "", restarts: int = 0, ended: Any = None
) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting, "message": message}} if waiting else {"running": {}}
    last = {"terminated": ended} if ended else {}
    return {"name": name, "state": state, "lastState": last, "restartCount": restarts, "ready": False}


def scene(*workloads: dict[str, Any], **rest: Any) -> Scene:
    children = {(w["kind"], w["metadata"]["name"]): w for w in workloads}
    return Scene(planned=list(workloads), children=children, **rest)


def workers(*pods: dict[str, Any], **rest: Any) -> Verdict | None:
    return survey(scene(workload("Deployment", "main-worker-blue", "worker"), pods=pods, **rest))["WorkersReady"]


def redis(**rest: Any) -> Verdict | None:
    return survey(scene(workload("StatefulSet", "main-redis", "redis"), **rest))["QueueReady"]


def claim(storage_class: str | None = "fast", phase: str = "Pending") -> dict[str, Any]:
    meta = {"name": "data-main-redis-0", "namespace": "ns", "uid": "uid-claim", "labels": {LABEL: "redis"}}
    return {"metadata": meta, "spec": {"storageClassName": storage_class}, "status": {"phase": phase}}


def event(uid: str, reason: str, note: str, kind: str = "Warning", at: str = "2026-05-01T12:00:00Z") -> dict[str, Any]:
    return {
        "metadata": {"name": "e"},
        "regarding": {"uid": uid},
        "reason": reason,
        "note": note,
        "type": kind,
        "deprecatedLastTimestamp": at,
    }


def running(name: str, component: str, *, since: str = "2026-05-01T11:59:00Z") -> dict[str, Any]:
    """A pod that runs and is not ready."""
    found = pod(name, component, {**container(component), "state": {"running": {"startedAt": since}}})
    found["metadata"]["uid"] = f"uid-{name}"
    return found
