"""The matrix of faults: how each is made on a real node, the one reason that tells it, and how it is taken away."""

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


LIMITS = named("v1", "LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"memory": "128Mi"}}]})
QUOTA = named("v1", "ResourceQuota", "none", spec={"hard": {"pods": "0"}})
WAY = "postgresql://whisper:{password}@{host}:5432/whisper?sslmode=require"
OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL;"
PSQL = "psql -h /tmp -U whisper -d whisper -qAt -v ON_ERROR_STOP=1"
REDIS = "redis-cli -s /tmp/redis.sock --no-auth-warning"

FAULTS: Mapping[str, Fault] = {
    "no such image": workers("ImagePullFailed", "worker:none", image="whisper-operator/transcriber-worker:none"),
    "no such registry": workers("ImagePullFailed", "no.such.host/worker:1", image="no.such.host/worker:1"),
    "no credentials": workers("ImagePullFailed", f"{REGISTRY}/worker:1", image=f"{REGISTRY}/worker:1"),
    "crash loop": workers("CrashLooping", "THREADS", env=[{"name": "WHISPER_THREADS", "value": "many"}]),
    "out of memory": workers(
        "OutOfMemory", "48Mi", resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "48Mi"}}
    ),
    "no such node": workers("Unschedulable", "node affinity/selector", nodeSelector={"no": "where"}),
    "no such memory": workers("Unschedulable", "Insufficient memory", resources={"requests": {"memory": "4Ti"}}),
    "no such GPU": workers("NoFreeGpu", "nvidia.com/gpu", resources={"limits": {"nvidia.com/gpu": 9}}),
    "no such priority": workers("PodRefused", "no PriorityClass with name nobody", priorityClassName="nobody"),
    "no such runtime": workers("PodRefused", 'RuntimeClass "nothing" not found', runtimeClassName="nothing"),
    "Pod Security": workers("PodRefused", 'violates PodSecurity "restricted', patch={"spec": {"hostNetwork": True}}),
    "no such Secret": workers("SecretNotFound", 'secret "gone" not found', env=variable("secret", "gone", "a")),
    "no such key": workers(
        "SecretIncomplete", "couldn't find key gone", env=variable("secret", "main-api-key", "gone")
    ),
    "no such ConfigMap": workers("ContainerCannotStart", '"gone" not found', env=variable("configMap", "gone", "a")),
    "quota": in_the_way("QuotaExceeded", "exceeded quota: none", QUOTA),
    "LimitRange": in_the_way("PodRefused", "maximum memory usage per Container is 128Mi", LIMITS),
    "webhook of pods": in_the_way("WebhookFailed", "pods.nobody.example.com", webhook("pods", "")),
    "webhook of Deployments": in_the_way(
        "WebhookFailed", "deployments.nobody.example.com", webhook("deployments", "apps")
    ),
    "node cordoned": Fault(
        "WorkersReady",
        "Unschedulable",
        "were unschedulable",
        cordon,
        lambda cluster: cluster.kubectl("uncordon", "--selector=kubernetes.io/os=linux"),
        serves=True,
    ),
    "wrong digest": model("digest", name="base", digest=f"sha256:{'0' * 64}"),
    "hub out of reach": model("nobody/nothing", name="own", source={"huggingFace": {"repo": "nobody/nothing"}}),
    "crash loop of the API": api("ApiReady", "CrashLooping", "exit code", "WHISPER_HOST", "203.0.113.9"),
    "migration": api("DatabaseReady", "MigrationFailed", "exit code", "WHISPER_LOG_LEVEL", "LOUD"),
    "PostgreSQL's password": Fault(
        "ApiReady",
        "PasswordRefused",
        "the database: password refused",
        *inside(
            "main-postgres-0",
            f"""echo "ALTER ROLE whisper PASSWORD 'other'; {OUT}" | {PSQL}""",
            f"""echo "ALTER ROLE whisper PASSWORD '$(cat /run/secrets/postgres/password)'" | {PSQL}""",
        ),
    ),
    "Redis' password": Fault(
        "QueueReady",
        "PasswordRefused",
        "main-redis-0",
        *inside(
            "main-redis-0",
            f'{REDIS} -a "$(cat /run/secrets/redis/password)" CONFIG SET requirepass other',
            f'{REDIS} -a other CONFIG SET requirepass "$(cat /run/secrets/redis/password)"',
        ),
    ),
    "PostgreSQL's volume": Fault(
        "DatabaseReady", "VolumeFull", "MiB are left", *filled("main-postgres-0", "/var/lib/postgresql/data")
    ),
    "objects' volume": Fault("ObjectsReady", "VolumeFull", "MiB are left", *filled("main-objects-0", "/data")),
    "no Secret": new("a", "DatabaseReady", "SecretNotFound", "Secret database in", forget, database),
    "wrong key": new(
        "b",
        "DatabaseReady",
        "SecretIncomplete",
        "has no key dsn",
        database,
        lambda cluster: database(cluster, key="dsn"),
        postgres={"external": {"secretRef": {"name": "database", "key": "dsn"}}},
    ),
    "wrong password": new(
        "c",
        "DatabaseReady",
        "PasswordRefused",
        "password authentication failed",
        lambda cluster: database(cluster, uri=WAY.format(password="x", host="main-postgres")),
        database,
    ),
    "wrong host": new(
        "d",
        "DatabaseReady",
        "DatabaseUnreachable",
        "PostgreSQL does not answer",
        lambda cluster: database(cluster, uri=WAY.format(password="x", host="nobody")),
        database,
    ),
    "no such class": new(
        "e",
        "QueueReady",
        "StorageClassNotFound",
        ABSENT,
        database,
        storage_class,
        redis={"managed": {"storageClassName": ABSENT}},
    ),
}
