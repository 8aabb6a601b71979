"""The operator, installed once by its chart, and one transcriber that most tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import manifests
import steps
from testbed import Cluster


@pytest.fixture(scope="session")
def operator(cluster: Cluster, images: Any) -> Cluster:
    """The cluster with the operator installed by helm, closed as far as its chart can close it."""
    steps.install(cluster, *steps.CLOSED)
    return cluster


@pytest.fixture(scope="session")
def service(operator: Cluster) -> Iterator[steps.Service]:
    """`spec: {}` but for the private addresses that the test's own web server has, Ready, under `restricted`."""
    steps.apply(operator, "default", manifests.restricted_namespace("spine"))
    steps.apply(operator, "spine", manifests.transcriber("main", fetch={"allowPrivateNetworks": True}))
    steps.until(operator, "spine", steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
    yield steps.Service(operator, "spine", "main")
    operator.kubectl("delete", "namespace", "spine", "--wait=false")
