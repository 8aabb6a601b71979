"""The matrix of faults on a real node: one reason, one Event, and recovery by itself.

With `-s` it prints how long each took to be told and to pass (mark: told within 30 s).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest

import manifests
import steps
from cluster.acts import NAMESPACE, REGISTRY, Fault, Manifest, named
from cluster.faults import FAULTS
from health import health
from testbed import Cluster
from testbed.waiting import until

pytestmark = pytest.mark.cluster
SMALL = {"data-main-postgres-0": 320, "data-main-redis-0": 128, "data-main-objects-0": 128}
"""Claims whose volumes are file systems of so many MiB."""
FOLDER = "/var/lib/kubelet/small-volumes"
_VOLUMES = """set -e
for one in {sizes}; do
  folder=/small/${{one%:*}}
  mkdir -p $folder
  mountpoint -q $folder || mount -t tmpfs -o size=${{one#*:}}m,mode=0777 small $folder
done
trap 'umount -l /small/*; exit 0' TERM
touch /tmp/done
sleep infinity & wait
"""
_REGISTRY = """
import http.server
class Closed(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="closed"')
        self.end_headers()
    do_HEAD = do_GET
address, port = "{address}".split(":")
http.server.HTTPServer((address, int(port)), Closed).serve_forever()
"""
# Not ready yet, and nothing is wrong.
STEPS = {"Progressing", "Migrating", "WaitingForMigration", "VolumePending", "Ready"}


def helper(name: str, command: list[str], **spec: Any) -> Manifest:
    """A pod that may do to the node what only tests may."""
    image = f"whisper-operator/operator:{version('whisper-operator')}"
    container = {"name": name, "image": image, "command": command, **spec.pop("container")}
    return named("v1", "Pod", name, spec={"containers": [container], "terminationGracePeriodSeconds": 5, **spec})


def volumes(node: str) -> list[Manifest]:
    """A pod that makes small file systems on the node, and the volumes over them."""
    script = _VOLUMES.format(sizes=" ".join(f"{claim}:{size}" for claim, size in SMALL.items()))
    container = {
        "securityContext": {"privileged": True, "runAsUser": 0},
        "volumeMounts": [{"name": "small", "mountPath": "/small", "mountPropagation": "Bidirectional"}],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/done"]}, "periodSeconds": 1},
    }
    source = {"name": "small", "hostPath": {"path": FOLDER, "type": "DirectoryOrCreate"}}
    here = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]
    made = [
        named(
            "v1",
            "PersistentVolume",
            f"small-{claim}",
            spec={
                "capacity": {"storage": "100Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "small",
                "claimRef": {"namespace": NAMESPACE, "name": claim},
                "local": {"path": f"{FOLDER}/{claim}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": here}]}},
            },
        )
        for claim in SMALL
    ]
    return [helper("small-volumes", ["sh", "-c", script], container=container, volumes=[source]), *made]


def registry() -> Manifest:
    """A registry on the node's loopback, which is asked without TLS, that lets nobody in."""
    listens = {"readinessProbe": {"tcpSocket": {"host": "127.0.0.1", "port": int(REGISTRY.split(":")[1])}}}
    command = ["python3", "-c", _REGISTRY.format(address=REGISTRY)]
    return helper("closed-registry", command, container=listens, hostNetwork=True)


@pytest.fixture(scope="module")
def place(operator: Cluster) -> Iterator[Cluster]:
    """The cluster with a transcriber that is Ready, whose volumes are small."""
    cluster = operator
    node = json.loads(cluster.kubectl("get", "nodes", "--output", "json"))["items"][0]["metadata"]["labels"]
    helpers = [registry(), *volumes(node["kubernetes.io/hostname"])]
    steps.apply(cluster, "default", manifests.restricted_namespace(NAMESPACE), *helpers)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/small-volumes", "pod/closed-registry", "--timeout=120s")
    small = {"managed": {"storageClassName": "small"}}
    # Another transcriber shares its stores; PodOptions are given back as they were.
    stores = dict.fromkeys(("postgres", "redis", "objects"), small)
    spec = {**stores, "networkPolicy": {"enabled": False}, "workers": manifests.LIGHT}
    steps.apply(cluster, NAMESPACE, manifests.transcriber("main", **spec))
    steps.until(cluster, NAMESPACE, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
    yield cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    for each in helpers:
        cluster.kubectl("delete", each["kind"], each["metadata"]["name"], "--namespace", "default", "--wait=false")
    cluster.kubectl("delete", "storageclass", "no-such-class", "--ignore-not-found")


@pytest.fixture(scope="module")
def seconds() -> Iterator[dict[str, tuple[str, float, float]]]:
    """How long each took to be told and to pass, printed at the end."""
    found: dict[str, tuple[str, float, float]] = {}
    yield found
    print(f"\n{'fault':26} {'reason':22} told  passed  (seconds)")
    for name, (reason, told, passed) in found.items():
        print(f"{name:26} {reason:22} {told:4.1f}  {passed:6.1f}")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_one_reason_one_event_and_an_end(
    place: Cluster, name: str, seconds: dict[str, tuple[str, float, float]]
) -> None:
    fault = FAULTS[name]
    since = datetime.now(UTC)
    began = time.monotonic()
    try:
        fault.make(place)
        seen: set[str] = set()
        told = steps.until(place, NAMESPACE, steps.TRANSCRIBER_KIND, fault.name, reported(fault, seen), 60)
        took = time.monotonic() - began
        assert fault.says in steps.condition(told, fault.condition)["message"]
        assert steps.condition(told, "Stalled")["reason"] == fault.reason
        assert seen <= STEPS, "it changed its mind"
        assert health(told)[:2] == ("Failed", "Degraded")
        if fault.serves:
            assert steps.get(place, NAMESPACE, "deployment", "main-worker-blue")["status"]["availableReplicas"] >= 1
            assert steps.get(place, NAMESPACE, "deployment", "main-api")["status"]["availableReplicas"] >= 1
    finally:
        mended = time.monotonic()
        fault.mend(place)
    whole = "Ready" if fault.name == "main" else fault.condition
    steps.until(place, NAMESPACE, steps.TRANSCRIBER_KIND, fault.name, steps.holds(whole), 120)
    seconds[name] = (fault.reason, took, time.monotonic() - mended)
    told_of = events(place, fault.name, since)
    notes = [(event["eventTime"], event["type"], event["note"]) for event in told_of]
    assert [event["reason"] for event in told_of if event["type"] == "Warning"] == [fault.reason], notes
    if fault.name != "main":
        place.kubectl("delete", steps.TRANSCRIBER_KIND, fault.name, "--namespace", NAMESPACE, "--wait=false")


def reported(fault: Fault, seen: set[str]) -> Callable[[dict[str, Any]], bool]:
    """A predicate: the fault is told. What was said before goes into `seen`."""
    holds = steps.holds(fault.condition, "False", fault.reason)

    def check(resource: dict[str, Any]) -> bool:
        if holds(resource):
            return True
        condition = steps.condition(resource, fault.condition)
        seen.update({condition["reason"]} if condition else ())
        return False

    return check


def events(cluster: Cluster, transcriber: str, since: datetime) -> list[dict[str, Any]]:
    """The Events about a transcriber since then, the oldest first."""
    about = f"regarding.name={transcriber},regarding.kind=WhisperTranscriber"
    words = ("get", "events.events.k8s.io", "--namespace", NAMESPACE, "--field-selector", about, "--output", "json")
    found = json.loads(cluster.kubectl(*words))["items"]
    return sorted(
        (event for event in found if datetime.fromisoformat(event["eventTime"]) >= since),
        key=lambda event: str(event["eventTime"]),
    )


@pytest.mark.parametrize(
    ("kind", "name", "make"),
    [
        ("service", "main-api", ("delete", "service", "main-api")),
        ("configmap", "main-config", ("delete", "configmap", "main-config")),
        ("deployment", "main-api", ("scale", "deployment", "main-api", "--replicas=3")),
        ("statefulset", "main-postgres", ("delete", "statefulset", "main-postgres")),
    ],
    ids=["Service deleted", "ConfigMap deleted", "Deployment edited", "StatefulSet deleted"],
)
def test_what_a_hand_undoes_is_done_again(
    place: Cluster, kind: str, name: str, make: tuple[str, ...], seconds: dict[str, tuple[str, float, float]]
) -> None:
    def essence() -> Any:
        """What was planned of it, if it is there; its resourceVersion is another one after whatever was done."""
        if name not in steps.names(place, NAMESPACE, kind):
            return None
        found = steps.get(place, NAMESPACE, kind, name)
        versions.append(found["metadata"]["resourceVersion"])
        return found.get("data") or [found["spec"].get(key) for key in ("replicas", "template", "ports")]

    versions: list[str] = []
    before, began = essence(), time.monotonic()
    place.kubectl(*make, "--namespace", NAMESPACE)
    until(f"{name} to be healed", lambda: essence() == before and versions[-1] != versions[0], timeout=30)
    took = time.monotonic() - began
    if kind == "statefulset":
        steps.until(place, NAMESPACE, kind, name, lambda found: found["status"].get("readyReplicas") == 1, 120)
    steps.until(place, NAMESPACE, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 120)
    seconds[f"{kind} {name} by hand"] = ("healed", took, time.monotonic() - began)
    rows = "SELECT count(*) > 0 FROM schema_migrations"
    said = place.kubectl(
        *("exec", "main-postgres-0", "--namespace", NAMESPACE, "--"),
        *("psql", "-h", "/tmp", "-U", "whisper", "-d", "whisper", "-qAtc", rows),
    )
    assert said.strip() == "t", "the data stayed"
