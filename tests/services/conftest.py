import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services import running
from services.operator_process import TRANSCRIBER, connected, resource
from services.running import Client, Process, Service
from whisper_operator.cluster.live import LiveCluster

NUMBERS = itertools.count()


@pytest.fixture(scope="package")
def shared() -> Iterator[tuple[Service, Client, Process]]:
    """One service with an API and a worker, for the tests that leave it as it is."""
    with running.service() as made:
        api, worker = made.start("serve"), made.start("work")
        yield made, Client(api), worker


@pytest.fixture(scope="package")
def client(shared: tuple[Service, Client, Process]) -> Client:
    """The shared service's API."""
    return shared[1]


@pytest.fixture
def service() -> Iterator[Service]:
    """A service of the test's own, nothing started yet."""
    with running.service() as made:
        yield made


@pytest.fixture
async def cluster(control_plane: Path) -> AsyncIterator[LiveCluster]:
    """The API server with the CRDs, by our own client (whose rights are an admin's here)."""
    async with connected(control_plane) as live:
        yield live


@pytest.fixture
def lease() -> tuple[str, ...]:
    """Arguments of an operator that leads by a Lease of its own."""
    return f"--lease-name=lease-{next(NUMBERS)}", "--lease-namespace=default"


@pytest.fixture
async def transcriber(cluster: LiveCluster) -> AsyncIterator[str]:
    """`spec: {}`, by a name of its own."""
    name = f"t{next(NUMBERS)}"
    await cluster.apply(resource(TRANSCRIBER, name))
    yield name
    await cluster.delete(TRANSCRIBER, "default", name)
