"""What a look says of what it found, in conditions and Events, and when it asks whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from whisper_operator.cluster.port import (
    DEPLOYMENT,
    POD,
    SERVICE,
    Kind,
)
from whisper_operator.errors import Rejected, WebhookFailed

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
EVENTS = "Event"


async def test_events_are_read_once_what_is_missing_is_late(world: Any, noon: Any) -> None:
    await world.look(noon)
    assert not [read for read in world.cluster.reads if read[1] == EVENTS]
    await world.look(noon + timedelta(seconds=3))
    assert not [read for read in world.cluster.reads if read[1] == EVENTS]
    await world.look(noon + timedelta(seconds=9))
    assert [read for read in world.cluster.reads if read[1] == EVENTS]


async def test_events_of_what_was_made_a_moment_ago_are_not_read(world: Any, noon: Any) -> None:
    await world.look(noon)
    world.kubelet()
    await world.look(noon + timedelta(hours=1))
    assert ("apply", "Job") in {write[:2] for write in world.cluster.writes}
    assert not [read for read in world.cluster.reads if read[1] == EVENTS]
    await world.look(noon + timedelta(hours=1))
    assert [read for read in world.cluster.reads if read[1] == EVENTS]


async def test_a_missing_secret_of_the_user_is_named(world: Any) -> None:
    world.edit(postgres={"external": {"secretRef": {"name": "my-database", "key": "uri"}}})
    await world.look()
    said = world.condition("DatabaseReady")
    assert said["reason"] == world.condition("Ready")["reason"] == "SecretNotFound"
    assert "my-database" in said["message"] and "spec.postgres.external.secretRef" in said["message"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-database", "namespace": "ns"}}
    await world.cluster.create({**secret, "data": {"wrong": ""}})
    await world.look()
    said = world.condition("DatabaseReady")
    assert said["reason"] == "SecretIncomplete" and "no key uri" in said["message"]
    await world.cluster.apply({**secret, "data": {"uri": ""}})
    await world.look()
    assert world.condition("DatabaseReady")["reason"] == "SecretIncomplete"
    await world.cluster.apply({**secret, "data": {"uri": "cG9zdGdyZXNxbDovL2EvYg=="}})
    await world.settle()
    assert world.condition("DatabaseReady")["status"] == "True"


async def test_a_refused_child_is_reported_and_the_others_are_still_healed(world: Any) -> None:
    await world.settle()
    await world.cluster.delete(SERVICE, "ns", "main-api")
    world.edit(workers={"replicas": 2})
    world.cluster.rejects["Deployment", "main-worker-blue"] = Rejected("QuotaExceeded", "exceeded quota: small")
    await world.look()
    assert world.condition("WorkersReady")["reason"] == "QuotaExceeded"
    assert world.condition("ApiReady")["status"] == "True"
    assert ("Service", "main-api") in world.cluster


async def test_a_webhook_that_is_down_is_told_and_passes(world: Any) -> None:
    await world.settle()
    world.edit(workers={"replicas": 2})
    world.cluster.rejects["Deployment", "main-worker-blue"] = WebhookFailed("failed calling webhook: no endpoints")
    await world.look()
    assert world.condition("WorkersReady")["reason"] == "WebhookFailed"
    world.cluster.rejects.clear()
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert world.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"] == 2


async def test_pods_that_run_and_are_not_ready_are_asked_why(world: Any, noon: Any) -> None:
    await world.settle()
    started = (noon - timedelta(minutes=1)).isoformat()
    labels = {"whisper-operator.dev/transcriber": "main", "app.kubernetes.io/component": "api"}
    container = {"name": "api", "state": {"running": {"startedAt": started}}, "ready": False}
    for name in ("a", "b", "c", "d"):
        meta = {"name": name, "namespace": "ns", "labels": labels}
        status = {"podIP": "10.0.0.1", "containerStatuses": [container]}
        await world.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta})
        world.cluster.edit(POD, "ns", name, {"status": status})
    asked: list[str] = []

    async def ask(_: Any, pod: Any) -> str:
        asked.append(pod["metadata"]["name"])
        return "the database: unavailable"

    world.cluster.edit(DEPLOYMENT, "ns", "main-api", {"status": {"readyReplicas": 0}})
    await world.look(ask=ask)
    assert world.condition("ApiReady")["reason"] == "DatabaseUnreachable"
    assert asked == ["a", "b", "c"], "the fourth would say the same"


@pytest.mark.parametrize(
    ("verb", "change", "condition"),
    [
        ("delete", {"api": {"replicas": 1}}, "ApiReady"),
        ("own", {"deletionPolicy": "Delete"}, "DatabaseReady"),
    ],
)
async def test_a_refused_deletion_or_owner_is_a_condition_too(
    world: Any, monkeypatch: pytest.MonkeyPatch, verb: str, change: dict[str, Any], condition: str
) -> None:
    world.edit(api={"replicas": 2})
    await world.settle()

    async def refuse(*_: Any, **__: Any) -> None:
        raise Rejected("Forbidden", "no right")

    monkeypatch.setattr(world.cluster, verb, refuse)
    world.edit(**change)
    await world.look()
    assert world.condition(condition)["reason"] == "Forbidden"
    assert world.condition("Stalled")["status"] == "True"


async def test_the_transition_time_moves_only_with_the_status(world: Any, noon: Any) -> None:
    await world.settle()
    since = world.condition("Ready")["lastTransitionTime"]
    later = noon + timedelta(hours=1)
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"metadata": {"generation": 2}})
    await world.look(later)
    assert world.condition("Ready")["observedGeneration"] == 2
    assert world.condition("Ready")["lastTransitionTime"] == since


async def test_transitions_are_told_as_events(world: Any) -> None:
    await world.settle()
    events = [world.cluster["Event", name] for name in world.cluster.names(Kind("events.k8s.io/v1", "Event"))]
    ready = next(event for event in events if event["reason"] == "Ready")
    assert ready["regarding"]["name"] == "main" and ready["type"] == "Normal"


async def test_losing_an_event_loses_nothing_else(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.settle()
    world.edit(defaultModel="nobody")
    create = world.cluster.create

    async def refuse(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Event":
            raise Rejected("Forbidden", "no events here")
        made: dict[str, Any] = await create(manifest)
        return made

    monkeypatch.setattr(world.cluster, "create", refuse)
    await world.look()
    assert world.condition("Stalled")["status"] == "True"
