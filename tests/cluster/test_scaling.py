"""From zero workers to some and back to zero, on real jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import manifests
import steps
from assets import speech
from clips import compressed, config_map, word_error_rate
from testbed import Cluster

# A worker has eight jobs in hand at once: more than that are for a second one.
JOBS = 14
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def elastic(operator: Cluster) -> Iterator[steps.Service]:
    """A transcriber that has no workers while it has no jobs."""
    steps.apply(operator, "default", manifests.restricted_namespace("elastic"))
    auto = {"min": 0, "max": 2, "targetWaitSeconds": 10, "scaleInAfterSeconds": 20}
    steps.apply(operator, "elastic", manifests.transcriber("main", workers={"autoscaling": auto, **manifests.LIGHT}))
    steps.until(operator, "elastic", steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
    yield steps.Service(operator, "elastic", "main")
    operator.kubectl("delete", "namespace", "elastic", "--wait=false")


def workers(transcriber: dict[str, Any]) -> tuple[int, int]:
    """How many should be there, and how many are."""
    status = transcriber["status"]["workers"]
    return status.get("autoscaling", {}).get("desired", -1), status["replicas"]


def test_zero_to_two_and_back_to_zero_on_real_jobs(elastic: steps.Service, tmp_path: Path) -> None:
    cluster, namespace = elastic.cluster, elastic.namespace
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", lambda found: workers(found) == (0, 0), 60)
    clip = speech.long(40)
    steps.apply(cluster, namespace, config_map("clip", {"clip.ogg": compressed(clip, tmp_path)}))
    source = {"configMap": {"name": "clip", "key": "clip.ogg"}}
    started = time.monotonic()
    steps.apply(cluster, namespace, *(manifests.job(f"job-{n}", "main", source) for n in range(JOBS)))
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", lambda found: workers(found)[0] >= 1, 30)
    first = time.monotonic() - started
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", lambda found: workers(found) == (2, 2), 60)
    for number in range(JOBS):
        done = steps.until(cluster, namespace, steps.JOB_KIND, f"job-{number}", steps.finished, 300)
        assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
        text = steps.fetch(cluster, namespace, "main", f"/v1/jobs/{done['status']['jobId']}/result?format=text")
        assert word_error_rate(clip.text, text) < 0.25
    served = time.monotonic() - started
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", lambda found: workers(found) == (0, 0), 120)
    assert first < 10, "the first worker is asked for at once"
    listed = json.loads(cluster.kubectl("get", "events", "--namespace", namespace, "--output", "json"))
    assert {"ScaledOut", "ScaledIn"} <= {event["reason"] for event in listed["items"]}
    demand = json.loads(steps.fetch(cluster, namespace, "main", "/internal/demand"))
    assert demand["workers"] == 0 and 0 < demand["real_time_factor"] < 5, demand
    print(f"asked for after {first:.1f} s, served after {served:.1f} s, idle after {time.monotonic() - started:.1f} s")
