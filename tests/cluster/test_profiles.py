"""Workers on devices and with a model cache, on a real node that says it has GPUs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

import manifests
import steps
from assets import speech
from clips import compressed, config_map
from testbed import Cluster

pytestmark = pytest.mark.cluster
GPU = "nvidia.com/gpu"


def advertise(cluster: Cluster, count: int | None) -> None:
    """Let the node say how many GPUs it has (None: nothing about it), as a device plugin would."""
    node = cluster.kubectl("get", "nodes", "--output", "name").split()[0]
    patch = json.dumps({"status": {"capacity": {GPU: None if count is None else str(count)}}})
    cluster.kubectl("patch", node, "--subresource=status", "--type=merge", "--patch", patch)


@pytest.fixture(scope="module")
def gpus(operator: Cluster) -> Iterator[Cluster]:
    """A node with one GPU, and a namespace."""
    advertise(operator, 1)
    steps.apply(operator, "default", manifests.restricted_namespace("gpus"))
    yield operator
    operator.kubectl("delete", "namespace", "gpus", "--wait=false")
    advertise(operator, None)


def test_a_worker_without_a_free_gpu_waits_says_so_and_starts_when_there_is_one(gpus: Cluster) -> None:
    steps.apply(
        gpus, "gpus", manifests.transcriber("main", workers={"replicas": 2, "gpu": {"count": 1}, **manifests.LIGHT})
    )
    waits = steps.holds("WorkersReady", "False", "NoFreeGpu")
    seen = steps.until(gpus, "gpus", steps.TRANSCRIBER_KIND, "main", waits, 180)
    assert f"No node has enough free {GPU}" in steps.condition(seen, "WorkersReady")["message"]
    assert steps.condition(seen, "Ready")["reason"] == "NoFreeGpu"
    one = steps.until(
        gpus, "gpus", steps.TRANSCRIBER_KIND, "main", lambda found: found["status"]["workers"]["ready"] == 1, 120
    )
    assert one["status"]["workers"]["replicas"] == 2
    advertise(gpus, 2)
    steps.until(gpus, "gpus", steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 120)
    listed = json.loads(gpus.kubectl("get", "pods", "--namespace", "gpus", "--output", "json"))
    limits = [pod["spec"]["containers"][0]["resources"]["limits"] for pod in listed["items"]]
    assert sum(GPU in limit for limit in limits) == 2
    steps.merge(gpus, "gpus", "main", {"workers": {"replicas": 0}})


def test_a_second_pod_finds_the_model_in_the_cache(operator: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Cold: the model is written and its digest computed. Warm: neither."""
    cluster, namespace = operator, "cache"
    steps.apply(cluster, "default", manifests.restricted_namespace(namespace))
    try:
        cache = {"modelCache": {"size": "1Gi"}, **manifests.LIGHT}
        steps.apply(cluster, namespace, manifests.transcriber("main", workers=cache))
        steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
        claim = steps.get(cluster, namespace, "pvc", "main-models")
        assert claim["status"]["phase"] == "Bound" and "ownerReferences" not in claim["metadata"]
        clip = compressed(speech.long(5), tmp_path_factory.mktemp("clip"))
        steps.apply(cluster, namespace, config_map("clip", {"clip.ogg": clip}))
        source = {"configMap": {"name": "clip", "key": "clip.ogg"}}
        notes = []
        for number in range(2):
            steps.apply(cluster, namespace, manifests.job(f"job-{number}", "main", source))
            done = steps.until(cluster, namespace, steps.JOB_KIND, f"job-{number}", steps.finished, 120)
            assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
            worker = _worker(cluster, namespace)
            notes.append(
                cluster.kubectl(
                    *("exec", worker, "--namespace", namespace, "--"),
                    *("sh", "-c", "stat -c '%n %Y %s' /var/cache/whisper/digests/*"),
                )
            )
            print(f"start {number}: {_seconds_to_ready(cluster, namespace, worker):.0f} s")
            if number == 0:
                cluster.kubectl("delete", "pod", worker, "--namespace", namespace)
                steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready", "False"), 60)
                steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 120)
        assert re.search(r"digests/\w+\.json", notes[0])
        assert notes[0] == notes[1], "the digest was computed once"
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _worker(cluster: Cluster, namespace: str) -> str:
    selector = "app.kubernetes.io/component=worker"
    listed = cluster.kubectl("get", "pods", "--namespace", namespace, "--selector", selector, "--output", "json")
    (name,) = [p["metadata"]["name"] for p in json.loads(listed)["items"] if steps.holds_pod_ready(p)]
    return str(name)


def _seconds_to_ready(cluster: Cluster, namespace: str, pod: str) -> float:
    status = steps.get(cluster, namespace, "pod", pod)["status"]
    times = [status["startTime"], next(c["lastTransitionTime"] for c in status["conditions"] if c["type"] == "Ready")]
    begun, ready = (datetime.fromisoformat(each) for each in times)
    assert time.time() > ready.timestamp()
    return (ready - begun).total_seconds()
