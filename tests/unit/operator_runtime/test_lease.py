"""Leadership: taken, renewed, lost, given back. The clock is the test's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from whisper_operator.cluster.lease import Lease
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.errors import Transient


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def candidate(cluster: FakeCluster, clock: Clock, name: str) -> Lease:
    return Lease(cluster, "ns", "whisper-operator", name, retry=0.001, clock=clock)


def holder(cluster: FakeCluster) -> dict[str, Any]:
    spec: dict[str, Any] = cluster["Lease", "whisper-operator"]["spec"]
    return spec


async def test_the_first_takes_it_and_the_second_waits(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock, "a"), candidate(cluster, clock, "b")
    await first.acquire()
    assert not await second._attempt(1)
    assert holder(cluster) | {"holderIdentity": "a", "leaseDurationSeconds": 8} == holder(cluster)
    assert second.seen == clock.now


async def test_a_dead_leader_is_replaced_after_its_time(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock, "a"), candidate(cluster, clock, "b")
    await first.acquire()
    assert not await second._attempt(1)
    clock.now += 7.9
    assert not await second._attempt(1)
    clock.now += 0.2
    assert await second._attempt(1)
    assert (holder(cluster)["holderIdentity"], holder(cluster)["leaseTransitions"]) == ("b", 2)


async def test_a_leader_that_renews_is_not_replaced(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock, "a"), candidate(cluster, clock, "b")
    await first.acquire()
    for _ in range(5):
        assert not await second._attempt(1)
        clock.now += 5
        assert await first._attempt(1)


async def test_a_lease_given_back_is_taken_at_once(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock, "a"), candidate(cluster, clock, "b")
    await first.acquire()
    await first.release()
    await second.acquire()
    assert holder(cluster)["holderIdentity"] == "b"


async def test_a_leader_that_was_replaced_stops(cluster: FakeCluster, clock: Clock) -> None:
    first = candidate(cluster, clock, "a")
    await first.acquire()
    live = cluster["Lease", "whisper-operator"]
    await cluster.replace({**live, "spec": {**live["spec"], "holderIdentity": "b", "renewTime": "later"}})
    async with asyncio.timeout(5):
        await first.keep()
    assert not first.holding


async def test_a_leader_that_cannot_renew_stops_in_time(
    cluster: FakeCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = candidate(cluster, clock, "a")
    await first.acquire()

    async def away(*_: Any) -> None:
        clock.now += 2
        raise Transient("no answer")

    monkeypatch.setattr(cluster, "get", away)
    before = clock.now
    async with asyncio.timeout(5):
        await first.keep()
    assert clock.now - before < 8


async def test_giving_back_never_hangs_or_raises(
    cluster: FakeCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = candidate(cluster, clock, "a")
    await first.acquire()

    async def away(*_: Any) -> None:
        raise Transient("no answer")

    monkeypatch.setattr(cluster, "get", away)
    await first.release()
