"""The volume that keeps models from one worker pod to the next."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, compact, manifest


def model_cache(cr: WhisperTranscriber) -> list[Manifest]:
    """The claim, where one is asked for. What becomes of it is said by deletionPolicy, as of any volume."""
    cache = cr.spec.workers.model_cache
    if cache is None:
        return []
    spec = {
        "accessModes": [cache.access_mode],
        "storageClassName": cache.storage_class_name,
        "resources": {"requests": {"storage": cache.size}},
    }
    owned = cr.spec.deletion_policy == "Delete"
    kind, name = "PersistentVolumeClaim", names.models(cr.name)
    return [manifest("v1", kind, cr, name, Component.WORKER, owned=owned, spec=compact(spec))]


def volume(cr: WhisperTranscriber) -> Manifest:
    """What is mounted as the cache: the claim, or what ends with the pod."""
    if cr.spec.workers.model_cache is None:
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": names.models(cr.name)}}


def alone(cr: WhisperTranscriber) -> bool:
    """Whether only one node at a time can have the cache: the old pod must go before the new one comes."""
    cache = cr.spec.workers.model_cache
    return cache is not None and cache.access_mode == "ReadWriteOnce"


def affinity(cr: WhisperTranscriber) -> Manifest:
    """Workers that share a volume of one node stay on that node."""
    cache = cr.spec.workers.model_cache
    if cache is None or not cache.one_node:
        return {}
    selector = {"matchLabels": names.selector(cr.name, Component.WORKER)}
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
