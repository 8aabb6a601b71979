"""Secrets that are made once, what an earlier transcriber left, and what goes with a transcriber."""

from __future__ import annotations

from typing import Any

import pytest

from whisper_operator.cluster.port import (
    CONFIG_MAP,
    PVC,
    SECRET,
    STATEFUL_SET,
    Kind,
)
from whisper_operator.errors import Transient

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")


async def test_a_secret_is_made_once_and_kept(world: Any) -> None:
    await world.settle()
    before = world.cluster["Secret", "main-postgres"]
    world.cluster.writes.clear()
    world.edit(workers={"replicas": 2})
    await world.settle()
    assert world.cluster["Secret", "main-postgres"] == before
    assert not [write for write in world.cluster.writes if write[1] == "Secret"]


async def test_what_an_earlier_transcriber_left_is_adopted_with_its_passwords(world: Any) -> None:
    await world.settle()
    before = {name: world.cluster["Secret", name]["data"] for name in world.cluster.names(SECRET)}
    stamp = world.cluster["StatefulSet", "main-postgres"]["spec"]["template"]["metadata"]["annotations"]
    for name in world.cluster.names(STATEFUL_SET):
        await world.cluster.delete(STATEFUL_SET, "ns", name)
    await world.cluster.delete(SECRET, "ns", "main-api-key")
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"status": None})
    world.applied = type(world.applied)()
    await world.look()
    after = {name: world.cluster["Secret", name]["data"] for name in world.cluster.names(SECRET)}
    assert {k: v for k, v in after.items() if k != "main-api-key"} == {
        k: v for k, v in before.items() if k != "main-api-key"
    }
    assert after["main-api-key"] != before["main-api-key"]
    again = world.cluster["StatefulSet", "main-postgres"]["spec"]["template"]["metadata"]["annotations"]
    assert again == stamp


async def test_what_is_no_longer_planned_is_pruned_but_data_never(world: Any) -> None:
    world.edit(api={"replicas": 2})
    await world.settle()
    budget = Kind("policy/v1", "PodDisruptionBudget")
    assert world.cluster.names(budget)
    claim = {"name": "data-main-redis-0", "namespace": "ns", "labels": {"whisper-operator.dev/transcriber": "main"}}
    await world.cluster.create({"apiVersion": PVC.api_version, "kind": PVC.name, "metadata": claim, "spec": {}})
    world.edit(api={"replicas": 1})
    await world.look()
    assert not world.cluster.names(budget)
    world.edit(redis={"external": {"secretRef": {"name": "mine", "key": "uri"}}})
    await world.look()
    for way in (("Service", "main-redis"), ("NetworkPolicy", "main-redis")):
        assert way in world.cluster, "pods that run still need it"
    uri = {"uri": "cmVkaXM6Ly9o"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": "ns"}, "data": uri}
    await world.cluster.create(secret)
    await world.settle()
    for way in (("Service", "main-redis"), ("NetworkPolicy", "main-redis")):
        assert way not in world.cluster
    assert ("StatefulSet", "main-redis") in world.cluster
    assert ("Secret", "main-redis") in world.cluster
    assert ("PersistentVolumeClaim", "data-main-redis-0") in world.cluster


async def test_what_is_not_ours_is_left_alone(world: Any) -> None:
    labels = {"whisper-operator.dev/transcriber": "main"}
    alien = {"name": "alien", "namespace": "ns", "labels": labels}
    await world.cluster.create({"apiVersion": "v1", "kind": CONFIG_MAP.name, "metadata": alien})
    await world.settle()
    assert ("ConfigMap", "alien") in world.cluster


async def test_deletion_policy_moves_the_owner_of_secrets(world: Any) -> None:
    await world.settle()

    def owners() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = world.cluster["Secret", "main-postgres"]["metadata"].get("ownerReferences", [])
        return found

    assert not owners()
    world.edit(deletionPolicy="Delete")
    await world.settle()
    assert [owner["name"] for owner in owners()] == ["main"]
    world.edit(deletionPolicy="Retain")
    await world.settle()
    assert not owners()


async def test_what_is_being_collected_is_not_adopted(world: Any) -> None:
    await world.settle()
    dead = {"apiVersion": TRANSCRIBER.api_version, "kind": TRANSCRIBER.name, "name": "main", "uid": "dead"}
    await world.cluster.own(SECRET, "ns", "main-postgres", [dead])
    with pytest.raises(Transient, match="garbage"):
        await world.look()


async def test_a_deleted_transcriber_ends_the_task(world: Any) -> None:
    await world.cluster.delete(TRANSCRIBER, "ns", "main")
    assert (await world.look()).gone
