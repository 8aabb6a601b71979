"""Secrets that change or lose a key while the service runs."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from whisper_operator.api import names
from whisper_operator.cluster.port import SECRET, Kind

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
WORKLOADS = (("Deployment", "main-api"), ("Deployment", "main-worker-blue"), ("StatefulSet", "main-postgres"))


def templates(world: Any) -> dict[str, Any]:
    return {name: world.cluster[kind, name]["spec"]["template"] for kind, name in WORKLOADS}


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def test_a_password_changed_by_hand_rolls_the_pods_that_use_it(world: Any) -> None:
    await world.settle()
    before = templates(world)
    world.cluster.edit(SECRET, "ns", "main-postgres", {"data": {"password": b64("new"), "uri": b64("postgresql://n")}})
    await world.look()
    assert world.condition("Ready")["reason"] == "Progressing"
    await world.settle()
    after = templates(world)
    for name in before:
        old, new = (t[name]["metadata"]["annotations"][names.SECRETS_CHECKSUM] for t in (before, after))
        assert old != new, name
        assert before[name]["spec"] == after[name]["spec"]
    assert world.condition("Ready")["status"] == "True"


async def test_labels_owners_and_a_restart_of_the_operator_roll_nothing(world: Any) -> None:
    await world.settle()
    before = templates(world)
    world.cluster.edit(SECRET, "ns", "main-postgres", {"metadata": {"labels": {"team": "speech"}}})
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"deletionPolicy": "Delete"}})
    world.applied = type(world.applied)()
    await world.settle()
    assert world.cluster["Secret", "main-postgres"]["metadata"]["ownerReferences"]
    assert templates(world) == before


async def test_a_rotated_secret_of_the_user_is_noticed_at_the_next_look(world: Any) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": "ns"}}
    await world.cluster.create({**secret, "data": {"uri": b64("postgresql://old")}})
    external = {"postgres": {"external": {"secretRef": {"name": "mine", "key": "uri"}}}}
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": external})
    await world.settle()
    before = world.cluster["Deployment", "main-api"]["spec"]["template"]
    world.cluster.edit(SECRET, "ns", "mine", {"data": {"uri": b64("postgresql://new")}})
    await world.settle()
    assert world.cluster["Deployment", "main-api"]["spec"]["template"] != before
    world.cluster.writes.clear()
    await world.cluster.delete(SECRET, "ns", "mine")
    during = world.cluster["Deployment", "main-api"]["spec"]
    await world.look()
    assert world.condition("DatabaseReady")["reason"] == "SecretNotFound"
    assert world.cluster["Deployment", "main-api"]["spec"] == during, "what runs keeps running"


@pytest.mark.parametrize(
    ("name", "key", "condition"),
    [
        ("main-postgres", "password", "DatabaseReady"),
        ("main-redis", "uri", "QueueReady"),
        ("main-objects", "secret-key", "ObjectsReady"),
        ("main-api-key", "api-key", "ApiReady"),
        ("main-webhooks", "secret", "ApiReady"),
    ],
)
@pytest.mark.parametrize("lost", ["empty", "absent"])
async def test_a_kept_secret_that_lost_a_key_is_named(
    world: Any, name: str, key: str, condition: str, lost: str
) -> None:
    await world.settle()
    before, whole = templates(world), dict(world.cluster["Secret", name]["data"])
    world.cluster["Secret", name]["data"][key] = ""
    if lost == "absent":
        del world.cluster["Secret", name]["data"][key]
    await world.look()
    said = world.condition(condition)
    assert said["reason"] == world.condition("Stalled")["reason"] == "SecretIncomplete"
    assert f"Secret {name} in namespace ns has no key {key}" in said["message"]
    assert templates(world) == before
    world.cluster.edit(SECRET, "ns", name, {"data": whole})
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert templates(world) == before


async def test_a_deleted_secret_is_made_again_and_everybody_gets_the_new_password(world: Any) -> None:
    await world.settle()
    before = templates(world)
    await world.cluster.delete(SECRET, "ns", "main-postgres")
    await world.settle()
    assert all(templates(world)[name] != before[name] for name in before)


async def test_the_keys_of_objects_are_never_made_anew(world: Any) -> None:
    await world.settle()
    assert ("Secret", "main-objects-keys") not in world.cluster
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"objects": {"encryption": {}}}})
    await world.settle()
    kept = world.cluster["Secret", "main-objects-keys"]["data"]
    pods = world.cluster["Deployment", "main-worker-blue"]["spec"]["template"]
    await world.cluster.delete(SECRET, "ns", "main-objects-keys")
    await world.settle()
    assert ("Secret", "main-objects-keys") not in world.cluster
    said = world.condition("ObjectsReady")
    assert said["reason"] == "SecretNotFound"
    assert "main-objects-keys in namespace ns is gone" in said["message"]
    assert "put it back from your backup" in said["message"]
    assert world.cluster["Deployment", "main-worker-blue"]["spec"]["template"] == pods, "what runs keeps running"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "main-objects-keys", "namespace": "ns"}}
    await world.cluster.create({**secret, "data": {"keys": b64("")}})
    await world.look()
    assert world.condition("ObjectsReady")["reason"] == "SecretNotFound"
    world.cluster.edit(SECRET, "ns", "main-objects-keys", {"data": kept})
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert world.cluster["Deployment", "main-worker-blue"]["spec"]["template"] == pods


async def test_a_new_key_of_objects_rolls_api_and_workers_only(world: Any) -> None:
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"objects": {"encryption": {}}}})
    await world.settle()
    before = {name: world.cluster[kind, name]["spec"]["template"] for kind, name in WORKLOADS}
    world.cluster.edit(SECRET, "ns", "main-objects-keys", {"data": {"keys": b64(f"new: {'ab' * 32}")}})
    await world.settle()
    rolled = [name for kind, name in WORKLOADS if world.cluster[kind, name]["spec"]["template"] != before[name]]
    assert rolled == ["main-api", "main-worker-blue"]
