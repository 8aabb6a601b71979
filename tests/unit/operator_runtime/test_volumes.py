"""Volumes grow with the spec."""

from __future__ import annotations

from typing import Any

from whisper_operator.cluster.port import PVC, Kind
from whisper_operator.errors import Immutable, Rejected

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
CLAIM = ("PersistentVolumeClaim", "data-main-redis-0")


async def claim(world: Any, phase: str = "Bound", component: str = "redis", size: str = "1Gi") -> None:
    """What the StatefulSet controller and the provisioner make."""
    labels = {"whisper-operator.dev/transcriber": "main", "app.kubernetes.io/component": component}
    meta = {"name": f"data-main-{component}-0", "namespace": "ns", "labels": labels}
    spec = {"storageClassName": "fast", "resources": {"requests": {"storage": size}}}
    made = {"apiVersion": PVC.api_version, "kind": PVC.name, "metadata": meta, "spec": spec}
    await world.cluster.create({**made, "status": {"phase": phase}})


def grow(world: Any, size: str = "2Gi") -> None:
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"redis": {"managed": {"storage": size}}}})


def requested(world: Any) -> str:
    return str(world.cluster[CLAIM]["spec"]["resources"]["requests"]["storage"])


async def test_a_claim_grows_although_its_stateful_set_cannot_change(world: Any) -> None:
    await world.settle()
    await claim(world)
    world.cluster.rejects["StatefulSet", "main-redis"] = Immutable("updates to statefulset spec are forbidden")
    grow(world)
    await world.look()
    assert requested(world) == "2Gi"
    assert world.cluster[CLAIM]["spec"]["storageClassName"] == "fast"
    assert "ownerReferences" not in world.cluster[CLAIM]["metadata"]
    world.cluster.rejects.clear()
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert requested(world) == "2Gi", "settled, and not planned any more"


async def test_a_claim_without_its_volume_grows_once_it_has_it(world: Any) -> None:
    await world.settle()
    await claim(world, "Pending")
    grow(world)
    await world.look()
    assert requested(world) == "1Gi"
    assert world.condition("QueueReady")["reason"] == "VolumePending"
    assert world.condition("Stalled")["status"] == "False"
    world.cluster.edit(PVC, "ns", CLAIM[1], {"status": {"phase": "Bound"}})
    await world.look()
    assert requested(world) == "2Gi"


async def test_a_storage_class_that_forbids_it_is_said_and_nothing_stops(world: Any) -> None:
    await world.settle()
    await claim(world)
    world.cluster.rejects[CLAIM] = Rejected("Forbidden", "the storageclass must support resize")
    grow(world)
    await world.look()
    said = world.condition("QueueReady")
    assert said["reason"] == world.condition("Stalled")["reason"] == "VolumeCannotGrow"
    assert "data-main-redis-0" in said["message"] and "must support resize" in said["message"]
    assert ("StatefulSet", "main-redis") in world.cluster
    assert world.condition("ApiReady")["status"] == "True"


async def test_a_missing_right_is_not_blamed_on_the_storage_class(world: Any) -> None:
    await world.settle()
    await claim(world)
    world.cluster.rejects[CLAIM] = Rejected("Forbidden", 'cannot patch resource "persistentvolumeclaims"')
    grow(world)
    await world.look()
    assert world.condition("QueueReady")["reason"] == "Forbidden"


async def test_other_claims_are_left_alone(world: Any) -> None:
    await world.settle()
    await claim(world, component="postgres", size="8Gi")
    await claim(world)
    world.cluster.writes.clear()
    grow(world)
    await world.look()
    assert [name for _, kind, name in world.cluster.writes if kind == PVC.name] == ["data-main-redis-0"]
