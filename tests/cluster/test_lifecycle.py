"""Deletion, retention, and the operator coming and going while the service works."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

import manifests
import steps
from assets import speech
from clips import compressed, config_map
from testbed import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def tenant(operator: Cluster) -> Iterator[str]:
    """A fresh restricted namespace for a transcriber of its own."""
    name = f"life-{secrets.token_hex(3)}"
    steps.apply(operator, "default", manifests.restricted_namespace(name))
    yield name
    operator.kubectl("delete", "namespace", name, "--wait=false")


def ready(cluster: Cluster, namespace: str) -> None:
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)


def test_retained_data_is_adopted_and_deleted_data_is_gone(operator: Cluster, tenant: str, tmp_path: Path) -> None:
    clip = compressed(speech.long(8), tmp_path)
    steps.apply(operator, tenant, manifests.transcriber("main"), config_map("clip", {"clip.ogg": clip}))
    ready(operator, tenant)
    steps.apply(operator, tenant, manifests.job("kept", "main", {"configMap": {"name": "clip", "key": "clip.ogg"}}))
    done = steps.until(operator, tenant, steps.JOB_KIND, "kept", steps.finished, 120)
    job_id = done["status"]["jobId"]
    text = steps.fetch(operator, tenant, "main", f"/v1/jobs/{job_id}/result?format=text")
    assert text.strip()

    operator.kubectl("delete", steps.TRANSCRIBER_KIND, "main", "--namespace", tenant)
    steps.until_gone(operator, tenant, "statefulset", "main-postgres", 60)
    assert {"data-main-postgres-0", "data-main-redis-0", "data-main-objects-0"} <= steps.names(operator, tenant, "pvc")
    assert "main-postgres" in steps.names(operator, tenant, "secret")

    steps.apply(operator, tenant, manifests.transcriber("main", deletionPolicy="Delete"))
    ready(operator, tenant)
    assert steps.fetch(operator, tenant, "main", f"/v1/jobs/{job_id}/result?format=text") == text

    operator.kubectl("delete", steps.TRANSCRIBER_KIND, "main", "--namespace", tenant)
    for claim in ("data-main-postgres-0", "data-main-redis-0", "data-main-objects-0"):
        steps.until_gone(operator, tenant, "pvc", claim, 120)
    steps.until_gone(operator, tenant, "secret", "main-postgres", 60)


def test_the_operator_leaves_and_returns_while_a_job_runs(service: steps.Service, tmp_path: Path) -> None:
    cluster, namespace = service.cluster, service.namespace
    steps.apply(cluster, namespace, config_map("leave", {"clip.ogg": compressed(speech.long(150), tmp_path)}))
    steps.apply(cluster, namespace, manifests.job("leave", "main", {"configMap": {"name": "leave", "key": "clip.ogg"}}))
    handed = steps.until(
        cluster, namespace, steps.JOB_KIND, "leave", lambda job: bool(job.get("status", {}).get("jobId")), 60
    )
    pods = steps.names(cluster, namespace, "pods")

    steps.uninstall(cluster)
    path = f"/v1/jobs/{handed['status']['jobId']}"
    assert json.loads(steps.fetch(cluster, namespace, "main", path))["status"] in ("queued", "running", "succeeded")
    steps.install(cluster, *steps.CLOSED)

    done = steps.until(cluster, namespace, steps.JOB_KIND, "leave", steps.finished, 300)
    assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
    assert done["status"]["jobId"] == handed["status"]["jobId"]
    assert steps.names(cluster, namespace, "pods") == pods
