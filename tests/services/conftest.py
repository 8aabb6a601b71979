from collections.abc import Iterator

import pytest

from services import running
from services.running import Client, Process, Service


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
