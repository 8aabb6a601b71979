"""How faults are made on a real node, and taken away: what the matrix in `faults.py` is made of."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import manifests
import steps
from testbed import Cluster
from testbed.waiting import until

NAMESPACE = "faults"
REGISTRY = "127.0.0.1:5999"
"""Where a registry answers that wants credentials."""
ABSENT = "no-such-class"
WAY = "postgresql://whisper:{password}@{host}:5432/whisper?sslmode=require"
Act = Callable[[Cluster], Any]
Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """A fault of the transcriber `name`, told by a condition's reason and a word of its message.

    `make` brings it about, `mend` takes it away, and nothing else is done: the rest is the operator's. Where `serves`,
    the pod that ran goes on meanwhile.
    """

    condition: str
    reason: str
    says: str
    make: Act
    mend: Act
    name: str = "main"
    serves: bool = False


def changed(spec: Manifest, back: Manifest) -> tuple[Act, Act]:
    """A change of main's spec, and the change that takes it back."""
    first, second = (lambda cluster, to=to: steps.merge(cluster, NAMESPACE, "main", to) for to in (spec, back))
    return first, second


def workers(reason: str, says: str, **pod: Any) -> Fault:
    """A fault of new workers, by their PodOptions; the old one serves on."""
    back = {key: manifests.LIGHT["pod"].get(key) for key in pod}
    if "resources" in back:
        back["resources"] = {**back["resources"], "limits": None}
    acts = changed({"workers": {"pod": pod}}, {"workers": {"pod": back}})
    return Fault("WorkersReady", reason, says, *acts, serves=True)


def variable(kind: str, name: str, key: str) -> list[Manifest]:
    """A variable from a key of a Secret or ConfigMap."""
    return [{"name": "A", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key}}}]


def model(says: str, **given: Any) -> Fault:
    """A model that no worker can load."""
    acts = changed({"models": [given]}, {"models": None})
    return Fault("WorkersReady", "ModelUnavailable", says, *acts, serves=True)


def api(condition: str, reason: str, says: str, variable: str, value: str) -> Fault:
    """A fault of the API's pods, which the migration shares, by a variable of theirs."""
    acts = changed({"api": {"pod": {"env": [{"name": variable, "value": value}]}}}, {"api": {"pod": {"env": None}}})
    return Fault(condition, reason, says, *acts, serves=True)


def roll(cluster: Cluster, why: str) -> None:
    """Have new workers made."""
    steps.merge(cluster, NAMESPACE, "main", {"workers": {"pod": {"annotations": {"rolled-for": why}}}})


def in_the_way(reason: str, says: str, what: Manifest) -> Fault:
    """An object that keeps new workers from being made."""

    def make(cluster: Cluster) -> None:
        steps.apply(cluster, NAMESPACE, what)
        if what["kind"].endswith("WebhookConfiguration"):  # the API server learns of it a moment later
            until(says, lambda: says in refusal(cluster, what["webhooks"][0]["rules"][0]["resources"][0]), timeout=30)
        roll(cluster, says)

    def mend(cluster: Cluster) -> None:
        cluster.kubectl("delete", what["kind"], what["metadata"]["name"], "--namespace", NAMESPACE)

    return Fault("WorkersReady", reason, says, make, mend, serves=True)


def refusal(cluster: Cluster, resource: str) -> str:
    """What the API server says to a change of main's objects of a sort; it is only tried."""
    words = ["kubectl", "annotate", resource, "--all", "--namespace", NAMESPACE, "tried=yes", "--dry-run=server"]
    return subprocess.run(words, env=cluster.env(), capture_output=True, text=True).stderr


def named(api_version: str, kind: str, name: str, **body: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def webhook(resources: str, group: str) -> Manifest:
    """A webhook of somebody who is not there, about the objects of a kind in our namespace."""
    hook = {
        "name": f"{resources}.nobody.example.com",
        "clientConfig": {"service": {"name": "nobody", "namespace": NAMESPACE, "path": "/"}},
        "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["*"], "resources": [resources]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return named(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", f"no-{resources}", webhooks=[hook]
    )


def cordon(cluster: Cluster) -> None:
    cluster.kubectl("cordon", "--selector=kubernetes.io/os=linux")
    roll(cluster, "cordon")


def inside(pod: str, make: str, mend: str) -> tuple[Act, Act]:
    """Two shell scripts in a pod."""
    words = ("exec", pod, "--namespace", NAMESPACE, "--", "sh", "-ec")
    return lambda cluster: cluster.kubectl(*words, make), lambda cluster: cluster.kubectl(*words, mend)


def filled(pod: str, folder: str) -> tuple[Act, Act]:
    """All but 16 MiB of a volume taken."""
    make = f"set -- $(stat -f -c '%a %S' {folder}); head -c $(($1 * $2 - 16777216)) /dev/zero > {folder}/filler"
    return inside(pod, make, f"rm {folder}/filler")


def uncertified(cluster: Cluster) -> None:
    """main's Redis begins anew, and the Secret of its certificate is deleted; that it comes back is the operator's.

    An operator that has just looked at all Secrets makes it again before the pod misses it: then it is done once more.
    """
    pod, secret = "main-redis-0", "main-redis-tls"

    def misses() -> bool:
        if secret in steps.names(cluster, NAMESPACE, "secret"):
            return True
        uid = steps.get(cluster, NAMESPACE, "pod", pod)["metadata"]["uid"] if there(pod) else ""
        about = f"regarding.uid={uid},reason=FailedMount"
        words = ("get", "events.events.k8s.io", "--namespace", NAMESPACE, "--field-selector", about, "--output=name")
        return bool(uid) and bool(cluster.kubectl(*words).strip())

    def there(name: str) -> bool:
        return name in steps.names(cluster, NAMESPACE, "pod")

    for _ in range(3):
        cluster.kubectl("delete", "secret", secret, "--namespace", NAMESPACE)
        cluster.kubectl("delete", "pod", pod, "--namespace", NAMESPACE, "--grace-period=1")
        until(f"{pod} to miss {secret}", misses, timeout=30)
        if secret not in steps.names(cluster, NAMESPACE, "secret"):
            return


def database(cluster: Cluster, key: str = "uri", **data: str) -> None:
    """The Secret of a database: main's by that key, unless `data` says otherwise."""
    found = steps.get(cluster, NAMESPACE, "secret", "main-postgres")["data"]["password"]
    uri = WAY.format(password=base64.b64decode(found).decode(), host="main-postgres")
    steps.apply(cluster, NAMESPACE, named("v1", "Secret", "database", stringData={key: uri} | data))


def new(name: str, condition: str, reason: str, says: str, before: Act, mend: Act, **spec: Any) -> Fault:
    """A transcriber that begins with a fault, over main's database and objects."""
    trusted = {"caSecretRef": {"name": "main-ca", "key": "ca.crt"}, "secretRef": {"name": "main-objects"}}
    whole = {
        "postgres": {"external": {"secretRef": {"name": "database", "key": "uri"}}},
        "objects": {"external": {"endpoint": "https://main-objects:7070", "bucket": "whisper", **trusted}},
        "networkPolicy": {"enabled": False},
        "workers": {"replicas": 0},
        "deletionPolicy": "Delete",
        **spec,
    }

    def make(cluster: Cluster) -> None:
        before(cluster)
        steps.apply(cluster, NAMESPACE, manifests.transcriber(name, **whole))

    return Fault(condition, reason, says, make, mend, name=name)


def forget(cluster: Cluster) -> None:
    cluster.kubectl("delete", "secret", "database", "--namespace", NAMESPACE, "--ignore-not-found")


def storage_class(cluster: Cluster) -> None:
    """The class that was missing: the default one by another name."""
    found = json.loads(cluster.kubectl("get", "storageclasses", "--output", "json"))["items"][0]
    how = {key: found[key] for key in ("provisioner", "volumeBindingMode")}
    steps.apply(cluster, NAMESPACE, named("storage.k8s.io/v1", "StorageClass", ABSENT, **how))
