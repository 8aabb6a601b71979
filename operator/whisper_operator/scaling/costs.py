"""Which pods go first: Kubernetes takes away those of the lowest deletion cost, and idle workers cost nothing."""

from collections.abc import Mapping, Sequence

from whisper_operator.cluster.port import Manifest, name_of

COST = "controller.kubernetes.io/pod-deletion-cost"


def costs(pods: Sequence[Manifest], busy: Mapping[str, int], *, exact: bool) -> list[Manifest]:
    """The changes to apply to pods, each with its uid: nothing is made anew where the pod is gone.

    A busy worker costs as much as it holds claims. Where nobody is about to be taken away (not `exact`) only whether it
    is busy matters: claims come and go, and each change is a write.
    """
    changes = []
    for pod in pods:
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            continue
        held = busy.get(name_of(pod), 0)
        known = _known(meta)
        if (known != held) if exact else (bool(known) != bool(held)):
            about = {key: meta[key] for key in ("name", "namespace", "uid")}
            changes.append({"apiVersion": "v1", "kind": "Pod", "metadata": {**about, "annotations": {COST: str(held)}}})
    return changes


def _known(meta: Manifest) -> int:
    text = (meta.get("annotations") or {}).get(COST, "0")
    return int(text) if text.isdigit() else 0
