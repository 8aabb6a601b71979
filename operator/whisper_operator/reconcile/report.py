"""What is said: the one writer of a transcriber's status, and its gauges."""

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.cluster.port import Cluster, Manifest
from whisper_operator.errors import Rejected
from whisper_operator.judge import ORDER
from whisper_operator.metrics import CONDITION
from whisper_operator.plan.autoscaling import Queue, Scale
from whisper_operator.reconcile.observe import Sight

VALUES = {"True": 1, "False": 0, "Unknown": -1}


def facts(
    cr: WhisperTranscriber, sight: Sight, version: str, scale: Scale | None, queue: Queue | None
) -> dict[str, Any]:
    """The fields of the status that are no conditions.

    Without a `queue` nobody has asked yet: what was told stays, and of what begins nothing waits.
    """
    told = cr.status.queued_jobs if cr.status and cr.status.conditions else 0
    workers = (sight.children.get(("Deployment", names.worker(cr.name))) or {}).get("status") or {}
    selector = names.selector(cr.name, names.Component.WORKER)
    return {
        "workers": {
            "replicas": workers.get("replicas", 0),
            "ready": workers.get("readyReplicas", 0),
            **_scaling(cr, scale, sight.served),
        },
        "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        "endpoint": names.endpoint(cr.name, cr.namespace, tls=cr.spec.tls.serves),
        "version": cr.spec.version or version,
        "model": cr.spec.main_model.name,
        "queuedJobs": queue.waiting if queue else told,
    }


def _scaling(cr: WhisperTranscriber, scale: Scale | None, served: Set[str]) -> dict[str, Any]:
    """What was decided; while nothing is (the operator has just started), what was told before."""
    rules = cr.spec.workers.autoscaling
    if rules is None:
        return {}
    if rules.provider != "operator":
        return {"autoscaling": {"desired": cr.spec.workers.replicas, **_external(rules.provider, served)}}
    if scale is None:
        before = cr.status.workers.autoscaling if cr.status else None
        return {"autoscaling": _written(before.model_dump())} if before else {}
    about = {"desired": scale.replicas, "reason": scale.reason, "message": scale.message}
    return {"autoscaling": _written({**about, "last_scale_time": scale.since})}


def _external(provider: str, served: Set[str]) -> dict[str, str]:
    if provider == "keda" and "ScaledObject" not in served:
        said = "KEDA is not installed: spec.workers.replicas counts until it is, or until provider is operator."
        return {"reason": "KedaNotFound", "message": said}
    tool = "KEDA" if provider == "keda" else "A HorizontalPodAutoscaler"
    return {"reason": "External", "message": f"{tool} sets spec.workers.replicas."}


def _written(about: Mapping[str, Any]) -> dict[str, Any]:
    when = timestamp(about["last_scale_time"])
    given = {key: about[key] for key in ("desired", "reason", "message")}
    return {**given, **({"lastScaleTime": when} if when else {})}


def rendered(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Conditions as Kubernetes writes them."""
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "observedGeneration": condition.observed_generation,
            "lastTransitionTime": timestamp(condition.last_transition_time),
        }
        for condition in conditions
    ]


def timestamp(when: datetime | None) -> str | None:
    """RFC 3339 in whole seconds, as metav1.Time is."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


async def write(cluster: Cluster, body: Manifest, status: Mapping[str, Any]) -> bool:
    """Apply the status unless it is already there. Returns whether it was written."""
    if (body.get("status") or {}) == status:
        return False
    meta = {key: body["metadata"][key] for key in ("name", "namespace")}
    manifest = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "status": dict(status)}
    try:
        await cluster.apply_status(manifest)
    except Rejected as error:
        if error.reason != "NotFound":
            raise
        return False  # deleted meanwhile: there is nobody left to tell
    return True


def measure(body: Manifest, conditions: Sequence[Condition]) -> None:
    """Set the gauges of a transcriber's conditions."""
    for condition in conditions:
        CONDITION.labels(body["metadata"]["namespace"], body["metadata"]["name"], condition.type).set(
            VALUES[condition.status]
        )


def unmeasure(namespace: str, name: str) -> None:
    """A transcriber that is gone has no conditions."""
    for kind in ORDER:
        with suppress(KeyError):
            CONDITION.remove(namespace, name, kind)
