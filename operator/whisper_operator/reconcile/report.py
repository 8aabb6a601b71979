"""What is said: the one writer of a transcriber's status, and Events for what changed."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import Condition, find
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.cluster.port import EVENT, Cluster, Manifest
from whisper_operator.errors import Conflict, Rejected, Transient
from whisper_operator.logs import Log
from whisper_operator.metrics import CONDITION

log = Log(__name__)
VALUES = {"True": 1, "False": 0, "Unknown": -1}
# Ready and the components tell the whole story; the abnormal ones only repeat it.
TOLD = ("Ready", "DatabaseReady", "QueueReady", "ObjectsReady", "WorkersReady", "ApiReady", "Succeeded")
# Not ready yet, and nothing is wrong.
ON_THE_WAY = frozenset({"Progressing", "Migrating", "WaitingForMigration", "VolumePending", "Cancelled"})
NOTE_LIMIT = 1000


def facts(cr: WhisperTranscriber, children: Mapping[tuple[str, str], Manifest], version: str) -> dict[str, Any]:
    """The fields of the status that are no conditions."""
    workers = (children.get(("Deployment", names.worker(cr.name))) or {}).get("status") or {}
    selector = names.selector(cr.name, names.Component.WORKER)
    return {
        "workers": {"replicas": workers.get("replicas", 0), "ready": workers.get("readyReplicas", 0)},
        "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        "endpoint": names.endpoint(cr.name, cr.namespace),
        "version": cr.spec.version or version,
        "model": cr.spec.main_model.name,
    }


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


async def tell(
    cluster: Cluster, body: Manifest, old: Sequence[Condition], new: Sequence[Condition], now: datetime, reporter: str
) -> None:
    """An Event for each condition that changed its status or reason. Events are best effort."""
    stalled = find(new, "Stalled")
    for condition in new:
        CONDITION.labels(body["metadata"]["namespace"], body["metadata"]["name"], condition.type).set(
            VALUES[condition.status]
        )
        before = find(old, condition.type)
        if condition.type not in TOLD or (
            before and (before.status, before.reason) == (condition.status, condition.reason)
        ):
            continue
        if before is None and condition.status != "True":
            continue  # everything begins not ready
        try:
            await cluster.create(event(body, condition, now, reporter, stalled))
        except (Rejected, Transient, Conflict) as error:
            log.warning("Event was not recorded", object=body["metadata"]["name"], error=str(error))


def event(
    body: Manifest, condition: Condition, now: datetime, reporter: str, stalled: Condition | None = None
) -> Manifest:
    """The Event about a condition's change: a Warning for faults only, not for what waiting alone brings about.

    `stalled` is the condition of that type: its sentence is a fault whatever the reason.
    """
    meta = body["metadata"]
    regarding = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        **{k: meta[k] for k in ("name", "namespace", "uid")},
    }
    worse = condition.status == "False"
    stuck = stalled is not None and stalled.status == "True" and stalled.message == condition.message
    faulty = worse and (stuck or condition.reason not in ON_THE_WAY)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"{names.GROUP}/operator",
        "reportingInstance": reporter[:128],
        "action": "Reconcile",
        "regarding": regarding,
        "reason": condition.reason if worse else f"{condition.type}",
        "note": f"{condition.type} is {condition.status}: {condition.message or condition.reason}"[:NOTE_LIMIT],
        "type": "Warning" if faulty else "Normal",
    }
