"""What pods lack that cannot begin: Secrets and ConfigMaps that they mount. Only the kubelet's Events tell it."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from whisper_operator.cluster.port import Manifest, name_of
from whisper_operator.judge.scene import Component, Verdict, newest

FAILED = "FailedMount"
_BEGINNING = frozenset({"ContainerCreating", "PodInitializing"})
_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found')
_KEYLESS = re.compile(r"references non-existent secret key: (\S+)")


def unmounted(component: Component) -> Verdict | None:
    """A pod that waits for a Secret or ConfigMap that is not there, or for a key that is not in it."""
    for pod in component.pods:
        if not _begins(pod):
            continue
        failed = [event for event in component.events if event.get("reason") == FAILED]
        said = str((newest(failed, pod["metadata"].get("uid", "")) or {}).get("note") or "")
        missing, keyless = _MISSING.search(said), _KEYLESS.search(said)
        if missing:
            kind = "Secret" if missing[1] == "secret" else "ConfigMap"
            what = f"Pod {name_of(pod)} cannot begin: {kind} {missing[2]}, which it mounts, does not exist."
            advice = "Create it, if it is yours: the operator makes its own again, and the pod begins by itself."
            return Verdict(f"{kind}NotFound", f"{what} {advice}", stalled=True)
        if keyless:
            what = f"Pod {name_of(pod)} cannot begin: a Secret that it mounts has no key {keyless[1]}."
            advice = "Add it; one that the operator made can be deleted, and a new one is made."
            return Verdict("SecretIncomplete", f"{what} {advice}", stalled=True)
    return None


def stuck(pods: Sequence[Manifest], now: datetime, patience: float) -> list[Manifest]:
    """The pods that a node took more than `patience` seconds ago, and that have not begun."""

    def late(pod: Manifest) -> bool:
        since = (pod.get("status") or {}).get("startTime")
        return since is not None and (now - datetime.fromisoformat(since)) / timedelta(seconds=1) > patience

    return [pod for pod in pods if _begins(pod) and late(pod)]


def _begins(pod: Manifest) -> bool:
    """Whether a pod has a container that is yet to be made. One that goes begins no more."""
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    waiting = (((each.get("state") or {}).get("waiting") or {}).get("reason") for each in every)
    return not pod["metadata"].get("deletionTimestamp") and any(reason in _BEGINNING for reason in waiting)
