"""What tests share: a cluster, the images in it, an API server without a node, a namespace for one test."""

import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

import testbed

if "PYTEST_XDIST_WORKER" in os.environ:
    # Huge pages are for the engines in this process (Makefile). A program that starts takes a second more with them.
    os.environ.pop("GLIBC_TUNABLES", None)

_ENGINES = "tests/contract/engine/"
# What begins first takes longest: nobody shall have nothing left to do for long.
_ORDER = ("tests/cluster/test_faults", "tests/cluster/", _ENGINES, "tests/services/")


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """What stays together where several processes share the tests (-n): a file's, and all that load engines.

    So only one process loads each engine, and each cluster sees one test at a time.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _ENGINES if nodeid.startswith(_ENGINES) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: next((n for n, at in enumerate(_ORDER) if item.nodeid.startswith(at)), len(_ORDER)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[testbed.Cluster]:
    """A cluster with a real node, called as WHISPER_CLUSTER says; each of several processes (-n) has one of its own.

    It is taken down at the end if it was brought up here, unless WHISPER_KEEP_CLUSTER is 1.
    """
    name = os.environ.get("WHISPER_CLUSTER", "whisper-operator-test")
    if process := os.environ.get("PYTEST_XDIST_WORKER"):
        name = f"{name}-{process}"
    was_running = testbed.status(name).startswith("running")
    try:
        yield testbed.up(name)
    finally:
        if not was_running and os.environ.get("WHISPER_KEEP_CLUSTER") != "1":
            testbed.down(name)


@pytest.fixture(scope="session")
def images(cluster: testbed.Cluster) -> Mapping[str, Path]:
    """All the project's images are in the cluster; target → archive. Built now if their inputs have changed."""
    import build_images  # only here: most tests need no images

    archives = build_images.build()
    for archive in archives.values():
        cluster.load(archive)
    return archives


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Path]:
    """The kubeconfig of an API server without a node or controllers."""
    with testbed.light_control_plane() as kubeconfig:
        yield kubeconfig


@pytest.fixture
def namespace(cluster: testbed.Cluster) -> Iterator[str]:
    """A fresh namespace under Pod Security `restricted`, enforced; deleted after the test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=60s")
    yield name
    # Not waited for: pods take up to half a minute to end, and the next test has a namespace of its own.
    cluster.kubectl("delete", "namespace", name, "--wait=false")
