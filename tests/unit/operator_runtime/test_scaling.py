"""The scaler's way from an answer of the API to the workers' Deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.transcriber_api import TranscriberApi
from whisper_operator.api import names
from whisper_operator.cluster.port import DEPLOYMENT, POD, Kind
from whisper_operator.jobs import Keys
from whisper_operator.reconcile import reconcile
from whisper_operator.scaling import Scaler, poll
from whisper_operator.scaling.costs import COST
from whisper_operator.transcripts import Transcripts

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")


class Service:
    """A transcriber in a cluster in memory, its API over real HTTP, and the scaler and the looks between them."""

    def __init__(self, world: Any, server: TranscriberApi, api: Transcripts, noon: datetime) -> None:
        self.world, self.server, self.api, self.now = world, server, api, noon
        self.scaler, self.keys = Scaler(), Keys(world.cluster)

    async def scale(self, seconds: float = 5.0) -> int:
        """A question to the API, a look of the operator; the Deployment's replicas."""
        self.now += timedelta(seconds=seconds)
        world = self.world
        self.outcome = await poll(
            world.cluster, self.api, self.keys, self.scaler, "ns", "main", world.settings, self.now
        )
        told: Any = {"scale": self.scaler.scale, "queue": self.scaler.queue}
        await reconcile(world.cluster, "ns", "main", world.settings, world.applied, self.now, **told)
        return self.replicas

    @property
    def replicas(self) -> int:
        return int(self.world.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"])

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.world.cluster["WhisperTranscriber", "main"]["status"]["workers"]["autoscaling"]
        return found

    def events(self) -> list[str]:
        return sorted(
            self.world.cluster["Event", name]["reason"] for name in self.world.cluster.names(Kind("", "Event"))
        )


@pytest.fixture
async def service(world: Any, noon: datetime) -> AsyncIterator[Service]:
    auto = {"min": 0, "max": 4, "scaleInAfterSeconds": 60}
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": auto}}})
    async with TranscriberApi().running() as server, Transcripts(server.url) as api:
        await world.settle()
        yield Service(world, server, api, noon)


async def test_from_zero_to_some_and_back(service: Service) -> None:
    assert service.replicas == 0
    assert service.world.condition("Ready")["status"] == "True", "a service that waits at zero is ready"
    service.server.demand = {"workers": 3, "queued": 2, "backlog_seconds": 900.0}
    assert await service.scale() == 3
    assert service.told["desired"] == 3 and service.told["reason"] == "AsNeeded"
    assert "ScaledOut" in service.events()
    service.world.kubelet()
    service.server.demand = {"workers": 0}
    assert await service.scale(30) == 3
    assert service.told["reason"] == "Stabilising"
    assert await service.scale(61) == 0
    assert service.told | {"desired": 0, "reason": "AsNeeded"} == service.told
    assert "ScaledIn" in service.events()
    await service.scale()
    assert service.outcome.again < 1 and service.scaler.idle, "at rest the API holds its answer back"


async def test_the_spec_is_the_users(service: Service) -> None:
    service.server.demand = {"workers": 3, "queued": 2}
    await service.scale()
    spec = service.world.cluster["WhisperTranscriber", "main"]["spec"]
    assert spec["workers"] == {"autoscaling": {"min": 0, "max": 4, "scaleInAfterSeconds": 60}}


async def test_what_cannot_be_read_takes_no_worker_away(service: Service) -> None:
    service.server.demand = {"workers": 2, "queued": 2}
    await service.scale()
    service.server.refusal = (503, "unavailable", "PostgreSQL is away")
    for _ in range(30):
        assert await service.scale(60) == 2
    assert service.told["reason"] == "MetricUnavailable" and "PostgreSQL is away" in service.told["message"]
    assert service.events().count("MetricUnavailable") == 1
    service.server.refusal, service.server.demand = None, {"workers": 0}
    assert await service.scale() == 2, "one reading after a blind hour is not enough"
    assert await service.scale(61) == 0


async def test_more_workers_on_their_way_leave_the_service_ready(service: Service) -> None:
    service.server.demand = {"workers": 1, "queued": 1}
    await service.scale()
    service.world.kubelet()
    service.server.demand = {"workers": 3, "queued": 9}
    await service.scale()
    status = {"replicas": 3, "readyReplicas": 1, "updatedReplicas": 3}
    live = service.world.cluster["Deployment", "main-worker-blue"]
    status["observedGeneration"] = live["metadata"]["generation"]
    service.world.cluster.edit(DEPLOYMENT, "ns", "main-worker-blue", {"status": status})
    await service.scale()
    assert service.world.condition("WorkersReady")["status"] == "True"


async def test_a_restarted_operator_goes_on_from_what_there_is(service: Service) -> None:
    service.server.demand = {"workers": 3, "queued": 2}
    await service.scale()
    service.scaler = Scaler()
    await reconcile(service.world.cluster, "ns", "main", service.world.settings, service.world.applied, service.now)
    assert service.replicas == 3
    assert service.told["desired"] == 3, "what was told stays until there is something new"
    service.server.demand = {"workers": 0}
    assert await service.scale() == 3
    assert await service.scale(61) == 0


async def test_bounds_of_the_spec_count_at_once(service: Service) -> None:
    service.server.demand = {"workers": 4, "queued": 4}
    assert await service.scale() == 4
    service.world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": {"max": 2}}}})
    assert await service.scale() == 2
    service.world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": None, "replicas": 1}}})
    assert await service.scale() == 1
    assert service.scaler.scale is None


async def test_what_waits_is_told_whoever_scales(service: Service) -> None:
    def queued() -> int | None:
        found: int | None = service.world.cluster["WhisperTranscriber", "main"]["status"].get("queuedJobs")
        return found

    assert queued() == 0, "what begins has no queue, and needs no second write to say so"
    service.server.demand = {"workers": 1, "queued": 7}
    await service.scale()
    assert queued() == 7
    service.server.demand = {"workers": 1, "queued": 6}
    await service.scale()
    assert queued() == 7, "each change is a write"
    await service.scale(20)
    assert queued() == 6
    service.server.demand = {"workers": 1, "queued": 0}
    await service.scale()
    assert queued() == 0, "that nothing waits any more is told at once"

    service.world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": None, "replicas": 1}}})
    service.server.demand = {"workers": 1, "queued": 3}
    await service.scale()
    assert (queued(), service.outcome.again) == (3, 4 * service.world.settings.scale_interval)
    service.scaler = Scaler()
    await service.world.look()
    assert queued() == 3, "an operator that has just started keeps what was told"
    service.server.refusal = (503, "unavailable", "PostgreSQL is away")
    for failures, wait in ((1, 40), (2, 80), (3, 160), (4, 300), (5, 300)):
        assert queued() == (3 if failures < 4 else None)
        await service.scale(300)
        assert service.outcome.again == wait


async def test_nobody_is_asked_before_the_api_is_ready(service: Service) -> None:
    service.world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"autoscaling": None}}})
    del service.world.cluster["WhisperTranscriber", "main"]["status"]
    service.server.refusal = (503, "unavailable", "asked")
    await service.scale()
    assert (service.scaler.failures, service.outcome.label) == (0, "waiting")


async def test_an_api_that_is_on_its_way_for_the_first_time_is_not_missed(service: Service) -> None:
    del service.world.cluster["WhisperTranscriber", "main"]["status"]
    service.world.cluster.edit(DEPLOYMENT, "ns", "main-api", {"status": {"readyReplicas": 0}})
    await service.world.look()
    service.server.refusal = (503, "unavailable", "the database: older schema")
    for _ in range(9):
        await service.scale()
    assert service.world.condition("ApiReady")["reason"] == "Progressing"
    assert (service.scaler.failures, service.scaler.scale) == (0, None)
    assert "MetricUnavailable" not in service.events()
    service.server.refusal, service.server.demand = None, {"workers": 2, "queued": 2}
    service.world.kubelet()
    await service.scale()
    assert await service.scale() == 2


async def test_idle_pods_are_marked_before_any_is_taken_away(service: Service) -> None:
    service.server.demand = {"workers": 2, "queued": 2}
    await service.scale()
    labels = {names.LABEL_TRANSCRIBER: "main", names.LABEL_COMPONENT: "worker"}
    for name in ("pod-a", "pod-b"):
        meta = {"name": name, "namespace": "ns", "labels": labels}
        await service.world.cluster.create({"apiVersion": "v1", "kind": POD.name, "metadata": meta})
    service.server.demand = {"workers": 1, "running": 1, "busy": {"pod-b": 2}}
    await service.scale(61)
    assert service.replicas == 1
    marks = {n: service.world.cluster["Pod", n]["metadata"].get("annotations", {}) for n in ("pod-a", "pod-b")}
    assert marks == {"pod-a": {}, "pod-b": {COST: "2"}}
