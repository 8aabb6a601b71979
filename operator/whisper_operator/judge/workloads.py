"""What Deployments, StatefulSets and Jobs tell, and the chains of checks for each."""

from collections.abc import Sequence
from dataclasses import replace

from whisper_operator.cluster.port import name_of
from whisper_operator.judge import pods, storage
from whisper_operator.judge.scene import Check, Component, Verdict, first, newest


def trouble(component: Component) -> Verdict | None:
    """What went wrong before there was anything to look at."""
    return next(iter(component.trouble), None)


def refused_pods(component: Component) -> Verdict | None:
    """Pods that the API server does not let the workload create: quota, Pod Security."""
    said = _refusal(component)
    if said is None or component.live is None:
        return None
    name = f"{component.live['kind']} {name_of(component.live)}"
    if "exceeded quota" in said:
        return Verdict(
            "QuotaExceeded",
            f"{name} may not create its pods: {said}. Raise the ResourceQuota, or lower the component's resources.",
            stalled=True,
        )
    if "failed calling webhook" in said:
        advice = "Repair that webhook, or remove it; it is tried again."
        return Verdict("WebhookFailed", f"{name} may not create its pods: {said}. {advice}", stalled=True)
    return Verdict("PodRefused", f"{name} may not create its pods: {said}", stalled=True)


def progress(component: Component) -> Verdict | None:
    """Fewer pods of the newest template are ready than wanted, or pods of an older one are still there.

    The last part is what `kubectl rollout status` looks at too: beside a surge pod that cannot start, the old pod's
    readiness alone would pass for the new one's.
    """
    live = component.live
    if live is None:
        return Verdict("Progressing", f"{component.title} is being created.")
    seen = int(component.status.get("observedGeneration") or 0)
    updated = int(component.status.get("updatedReplicas") or 0)
    if seen < live["metadata"]["generation"]:
        return Verdict("Progressing", f"{component.title}: the change has not been taken up yet.")
    total = int(component.status.get("replicas") or 0)
    if component.ready >= component.least and updated >= max(component.least, total):
        return None
    return pods.not_ready(component) or Verdict(
        "Progressing", f"{component.title}: {min(component.ready, updated)} of {component.replicas} pods are ready."
    )


def migration(component: Component) -> Verdict | None:
    """The database carries the schema of this version once the Job is complete."""
    name = name_of(component.planned or component.live or {"metadata": {"name": "migrate"}})
    for condition in component.status.get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Complete":
            return None
        if condition["status"] == "True" and condition["type"] == "Failed":
            namespace = (component.live or {})["metadata"]["namespace"]
            return Verdict(
                "MigrationFailed",
                f"Job {name} could not bring the database to this version's schema: {condition.get('message', '')} "
                f"Read kubectl logs job/{name} --namespace {namespace}; after the cause is gone, delete the Job.",
                stalled=True,
            )
    fault = first(pods.FAULTS, component)
    if fault is None:
        return Verdict("Migrating", f"Job {name} brings the database to this version's schema.")
    return replace(fault, reason="MigrationFailed") if fault.reason == "CrashLooping" else fault


def server(component: Component) -> Verdict | None:
    """The whole chain for a Deployment or StatefulSet: content once `progress` is, else the best explanation."""
    complaint = trouble(component)
    if complaint is not None or component.planned is None:
        return complaint
    waiting = progress(component)
    # None ready where some are wanted is content only with an autoscaler whose least is none: they may just start.
    if waiting is None and (component.ready or not component.replicas):
        return None
    return first(EXPLANATIONS, component) or waiting


def job(component: Component) -> Verdict | None:
    """The whole chain for the migration Job."""
    return first((trouble, refused_pods, migration), component)


EXPLANATIONS: Sequence[Check] = (storage.claims, refused_pods, *pods.FAULTS)


def _refusal(component: Component) -> str | None:
    for condition in component.status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", ""))
    if component.live is None or component.pods:
        return None
    event = newest(component.events, component.live["metadata"]["uid"])
    if event is not None and event.get("type") == "Warning" and event.get("reason") == "FailedCreate":
        return str(event.get("note") or "")
    return None
