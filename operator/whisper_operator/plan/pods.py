"""Pods: one template for every component, fit for Pod Security `restricted`, with the user's PodOptions on top."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.pods import PodOptions, Resources
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, PlanSettings, compact, image, labels
from whisper_operator.plan.patch import patched
from whisper_operator.plan.quantity import parse

USER = 10001
SECRET_MODE = 0o440
ROOM = 32 * 1024**2
"""Bytes that a volume must have left: two segments of PostgreSQL's log."""
_ROOM = """{command} || exit 1
set -- $(stat -f -c '%a %S' {path})
free=$(($1 * $2 / 1048576))
[ "$free" -ge {least} ] || {{ echo "the volume is full: $free MiB are left"; exit 1; }}
"""
CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Sidecar:
    """Another container beside the main one, of the same image, with mounts as in `Pod`."""

    container: Mapping[str, Any]
    mounts: Mapping[str, Manifest | None]


@dataclass(frozen=True)
class Pod:
    """What a component's builder says about its pods; the rest is the same everywhere.

    `image` is the name below whisper-operator/. `container` holds what only this component has: args, env, ports,
    probes. `mounts` maps paths to volume sources; None stands for the StatefulSet's data volume. `grace` is in seconds.
    """

    component: Component
    image: str
    account: str
    options: PodOptions
    container: Mapping[str, Any]
    mounts: Mapping[str, Manifest | None]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    grace: int = 30
    extra: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    sidecars: Sequence[Sidecar] = ()


def template(cr: WhisperTranscriber, settings: PlanSettings, pod: Pod) -> Manifest:
    """The pod template of a component."""
    options = pod.options
    mounted = dict(pod.mounts)
    for one in pod.sidecars:
        mounted |= one.mounts
    same = {
        "image": image(cr, settings, pod.image, options),
        # Its last lines, should it end with an error: the conditions can then say more than that it ended.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "imagePullPolicy": cr.spec.images.pull_policy or settings.image_pull_policy,
        "securityContext": CONTAINER_SECURITY,
    }
    container = {
        "name": str(pod.component),
        **same,
        **pod.container,
        "env": environment(pod.container.get("env", ()), options),
        "resources": resources(options.resources, pod.requests, pod.limits),
        "volumeMounts": _mounts(pod.mounts),
    }
    beside = [{**same, **one.container, "volumeMounts": _mounts(one.mounts)} for one in pod.sidecars]
    spec = {
        "serviceAccountName": pod.account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": pod.grace,
        "imagePullSecrets": _pull_secrets(cr, settings, options),
        "containers": [compact(container), *map(compact, beside)],
        "volumes": [{"name": _volume_name(path), **source} for path, source in mounted.items() if source is not None],
        "priorityClassName": options.priority_class_name,
        "runtimeClassName": options.runtime_class_name,
        "nodeSelector": options.node_selector,
        "tolerations": [t.model_dump(by_alias=True, exclude_none=True) for t in options.tolerations],
        "affinity": options.affinity,
        **(pod.extra or {}),
    }
    metadata = {
        "labels": {**options.labels, **labels(cr, pod.component), **(pod.labels or {})},
        "annotations": {**options.annotations, **(pod.annotations or {})},
    }
    if options.topology_spread_constraints is not None:
        about = {"labelSelector": {"matchLabels": names.selector(cr.name, pod.component)}}
        spec["topologySpreadConstraints"] = [{**about, **given} for given in options.topology_spread_constraints]
    made = {"metadata": compact(metadata), "spec": compact(spec)}
    if options.patch is None:
        return made
    made = patched(made, options.patch.model_dump(exclude_none=True))
    ours = {**labels(cr, pod.component), **(pod.labels or {})}
    return {**made, "metadata": {**made["metadata"], "labels": {**made["metadata"].get("labels", {}), **ours}}}


def environment(ours: Sequence[Manifest], options: PodOptions) -> list[Manifest]:
    """Our variables and the user's; of two with one name the user's counts."""
    theirs = [compact(var.model_dump(by_alias=True)) for var in options.env]
    taken = {var["name"] for var in theirs}
    return [*(var for var in ours if var["name"] not in taken), *theirs]


def resources(given: Resources | None, requests: Mapping[str, str], limits: Mapping[str, str]) -> Manifest:
    """A map that the user gives replaces ours, but for devices; where the two contradict each other ours yields."""
    given = given or Resources()
    if given.limits and not given.requests:
        requests = {k: min(v, given.limits.get(k, v), key=parse) for k, v in requests.items()}
    if given.requests and not given.limits:
        limits = {k: v for k, v in limits.items() if parse(v) >= parse(given.requests.get(k, "0"))}
    devices = {name: count for name, count in limits.items() if "/" in name}
    return compact(
        {"requests": dict(given.requests or requests), "limits": {**devices, **(given.limits or limits)}},
    )


def from_secret(name: str, secret: str, key: str) -> Manifest:
    """An environment variable from a key of a Secret."""
    return {"name": str(name), "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def secret_files(secret: str, *keys: str) -> Manifest:
    """A volume with these keys of a Secret as files."""
    items = [{"key": key, "path": key} for key in keys]
    return {"secret": {"secretName": secret, "defaultMode": SECRET_MODE, "items": items}}


def http_probe(
    path: str, period: int, failures: int, timeout: int = 5, port: str = "http", *, tls: bool = False
) -> Manifest:
    """GET on the named port; times in seconds. Over TLS a kubelet takes any certificate, an expired one too."""
    scheme = {"scheme": "HTTPS"} if tls else {}
    return _probe({"httpGet": {"path": path, "port": port, **scheme}}, period, failures, timeout)


def tcp_probe(port: str, period: int, failures: int) -> Manifest:
    """A connection to the named port."""
    return _probe({"tcpSocket": {"port": port}}, period, failures, 5)


def exec_probe(command: Sequence[str], period: int, failures: int, timeout: int = 5) -> Manifest:
    """A command in the container."""
    return _probe({"exec": {"command": list(command)}}, period, failures, timeout)


def room_probe(command: Sequence[str], path: str, period: int, failures: int) -> Manifest:
    """A command in the container, and room left on the volume at `path`: before it is full, people are told."""
    words = shlex.join(command)
    return exec_probe(("sh", "-c", _ROOM.format(command=words, path=path, least=ROOM // 1024**2)), period, failures)


def _probe(action: Manifest, period: int, failures: int, timeout: int) -> Manifest:
    return {**action, "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}


def _mounts(mounts: Mapping[str, Manifest | None]) -> list[Manifest]:
    """A container's mounts. Secrets, ConfigMaps and the user's claims are read-only."""
    mounted: list[Manifest] = []
    for path, source in mounts.items():
        if source is None:
            mounted.append({"name": "data", "mountPath": path})
            continue
        claim = source.get("persistentVolumeClaim")
        writable = "emptyDir" in source or (claim is not None and not claim.get("readOnly"))
        read_only = {} if writable else {"readOnly": True}
        mounted.append({"name": _volume_name(path), "mountPath": path, **read_only})
    return mounted


def _volume_name(path: str) -> str:
    """A DNS label for a path; long paths and those with other characters get a hash."""
    name = path.strip("/").replace("/", "-")
    plain = len(name) <= 63 and all(c.isascii() and (c.isalnum() or c == "-") for c in name)
    return name.lower() if plain else f"volume-{hashlib.sha256(path.encode()).hexdigest()[:16]}"


def _pull_secrets(cr: WhisperTranscriber, settings: PlanSettings, options: PodOptions) -> list[Manifest]:
    """The resource's before the operator's; the component's beside either."""
    general = [ref.name for ref in cr.spec.images.pull_secrets] or settings.image_pull_secrets
    return [{"name": name} for name in dict.fromkeys((*general, *(ref.name for ref in options.image_pull_secrets)))]
