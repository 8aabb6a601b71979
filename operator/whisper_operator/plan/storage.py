"""StatefulSets with one pod and one volume: their claims are named for ever, so that data is found again."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, compact, labels, manifest
from whisper_operator.plan.quantity import parse


def stateful_set(
    cr: WhisperTranscriber,
    name: str,
    component: Component,
    template: Manifest,
    storage: str,
    storage_class: str | None,
) -> Manifest:
    """One pod, and the claim `data-<name>-0`, which outlives the resource unless deletionPolicy is Delete."""
    claim_spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": storage}},
    }
    spec = {
        "serviceName": name,
        "replicas": 1,
        # In order, a pod that never becomes ready would not be replaced by one that can.
        "podManagementPolicy": "Parallel",
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": names.selector(cr.name, component)},
        "template": template,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": cr.spec.deletion_policy, "whenScaled": "Retain"},
        "volumeClaimTemplates": [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": names.DATA_VOLUME, "labels": labels(cr, component)},
                "spec": compact(claim_spec),
            }
        ],
    }
    return manifest("apps/v1", "StatefulSet", cr, name, component, spec=spec)


def grown(cr: WhisperTranscriber, name: str, component: Component, storage: str, observed: Observed) -> list[Manifest]:
    """The claim with its new size, where it is there and smaller: a StatefulSet never touches a claim it has made.

    Before it has a volume a claim cannot change: it waits for that.
    """
    claim = observed.children.get(("PersistentVolumeClaim", names.claim(name)))
    if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
        return []
    if parse(claim["spec"]["resources"]["requests"]["storage"]) >= parse(storage):
        return []
    spec = {"resources": {"requests": {"storage": storage}}}
    return [manifest("v1", "PersistentVolumeClaim", cr, names.claim(name), component, owned=False, spec=spec)]
