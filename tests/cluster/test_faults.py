"""What only the operator can see: each fault becomes one reason, and the service that runs keeps running."""

from __future__ import annotations

import json
from typing import Any

import pytest

import manifests
import steps
from health import health
from steps import Service
from testbed import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def broken(operator: Cluster) -> Any:
    """Apply a transcriber into a namespace of its own and wait for Ready=False with that reason."""
    made: list[str] = []

    def run(name: str, reason: str, **spec: Any) -> dict[str, Any]:
        steps.apply(operator, "default", manifests.restricted_namespace(f"fault-{name}"))
        made.append(f"fault-{name}")
        steps.apply(operator, f"fault-{name}", manifests.transcriber("main", **spec))
        seen = steps.until(
            operator, f"fault-{name}", steps.TRANSCRIBER_KIND, "main", steps.holds("Ready", "False", reason), 60
        )
        assert health(seen)[:2] == ("Failed", "Degraded")
        return seen

    yield run
    for name in made:
        operator.kubectl("delete", "namespace", name, "--wait=false")


def test_a_missing_storage_class(broken: Any) -> None:
    seen = broken("storage", "StorageClassNotFound", postgres={"managed": {"storageClassName": "no-such-class"}})
    assert "no-such-class" in steps.condition(seen, "Ready")["message"]


def test_an_image_that_cannot_be_pulled(broken: Any) -> None:
    seen = broken("image", "ImagePullFailed", redis={"managed": {"pod": {"image": "no.such.host/redis:1"}}})
    assert "no.such.host/redis:1" in steps.condition(seen, "Ready")["message"]


def test_a_missing_secret(broken: Any) -> None:
    seen = broken("secret", "SecretNotFound", postgres={"external": {"secretRef": {"name": "my-database"}}})
    assert "my-database" in steps.condition(seen, "Ready")["message"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"postgres": {"managed": {"storage": "lots"}}}, "spec.postgres.managed.storage"),
        ({"workerz": {"replicas": 2}}, "workerz"),
        ({"workers": {"replicas": -1}}, "spec.workers.replicas"),
        ({"deletionPolicy": "Maybe"}, "spec.deletionPolicy"),
        ({"redis": {"managed": {}, "external": {"secretRef": {"name": "r"}}}}, "spec.redis"),
    ],
    ids=["size", "unknown-field", "negative", "enum", "contradiction"],
)
def test_a_wrong_resource_is_refused_by_name_of_the_field(service: Service, spec: dict[str, Any], says: str) -> None:
    refused = steps.refusal(service.cluster, service.namespace, manifests.transcriber("wrong", **spec))
    assert says in refused


def test_a_service_that_runs_survives_a_bad_change(service: Service) -> None:
    cluster, namespace = service.cluster, service.namespace
    complains = steps.holds("WorkersReady", "False", "ImagePullFailed")
    steps.merge(cluster, namespace, "main", {"workers": {"pod": {"image": "no.such.host/worker:1"}}})
    try:
        broken = steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", complains, 60)
        assert "no.such.host/worker:1" in steps.condition(broken, "WorkersReady")["message"]
        assert json.loads(steps.fetch(cluster, namespace, "main", "/v1/models"))["data"]
    finally:
        steps.merge(cluster, namespace, "main", {"workers": {"pod": {"image": None}}})
    steps.until(cluster, namespace, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 120)
