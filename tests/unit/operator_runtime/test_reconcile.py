"""One look at one transcriber, against a cluster in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from whisper_operator.cluster.port import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    NETWORK_POLICY,
    POD,
    PVC,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from whisper_operator.errors import Immutable, Rejected, Transient, WebhookFailed

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
EVENTS = "Event"


def edit(world: Any, **spec: Any) -> None:
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": spec})


async def test_an_empty_spec_becomes_a_whole_service(world: Any) -> None:
    await world.settle()
    assert world.cluster.names(STATEFUL_SET) == ["main-objects", "main-postgres", "main-redis"]
    assert world.cluster.names(DEPLOYMENT) == ["main-api", "main-worker-blue"]
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Reconciling")["status"] == "False"
    status = world.cluster["WhisperTranscriber", "main"]["status"]
    assert status["workers"] == {"replicas": 1, "ready": 1}
    assert status["endpoint"] == "http://main-api.ns.svc"
    assert status["observedGeneration"] == 1


async def test_the_first_look_says_not_ready_and_which_step_is_on(world: Any) -> None:
    outcome = await world.look()
    assert (outcome.label, outcome.again) == ("waiting", world.settings.recheck)
    assert world.condition("Ready")["status"] == "False"
    assert world.condition("WorkersReady")["reason"] == "WaitingForMigration"
    assert not world.cluster.names(DEPLOYMENT)


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


async def test_the_longer_it_is_not_ready_the_rarer_the_looks(world: Any, noon: Any) -> None:
    await world.look(noon)
    waits = [(await world.look(noon + timedelta(seconds=after))).again for after in (5, 120, 7200)]
    assert waits == [10.0, 20.0, 60.0]


async def test_at_rest_nothing_is_written(world: Any) -> None:
    await world.settle()
    world.cluster.writes.clear()
    outcome = await world.look()
    assert world.cluster.writes == []
    assert outcome.again == world.settings.resync


async def test_a_restarted_operator_changes_nothing(world: Any) -> None:
    await world.settle()
    before = {name: world.cluster["Deployment", name]["metadata"] for name in world.cluster.names(DEPLOYMENT)}
    world.applied = type(world.applied)()
    await world.look()
    assert {name: world.cluster["Deployment", name]["metadata"] for name in before} == before


async def test_a_deleted_child_comes_back(world: Any) -> None:
    await world.settle()
    await world.cluster.delete(SERVICE, "ns", "main-api")
    await world.look()
    assert ("Service", "main-api") in world.cluster


async def test_a_child_edited_by_hand_is_healed(world: Any) -> None:
    await world.settle()
    world.cluster.edit(DEPLOYMENT, "ns", "main-api", {"spec": {"replicas": 7}})
    await world.look()
    assert world.cluster["Deployment", "main-api"]["spec"]["replicas"] == 1


async def test_a_change_is_not_called_ready_before_it_is_taken_up(world: Any) -> None:
    await world.settle()
    edit(world, workers={"replicas": 3})
    await world.look()
    assert world.condition("Ready") | {"status": "False", "observedGeneration": 2} == world.condition("Ready")
    world.kubelet()
    await world.look()
    assert world.condition("Ready")["status"] == "True"


async def test_a_secret_is_made_once_and_kept(world: Any) -> None:
    await world.settle()
    before = world.cluster["Secret", "main-postgres"]
    world.cluster.writes.clear()
    edit(world, workers={"replicas": 2})
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


async def test_an_invalid_spec_changes_nothing_that_runs(world: Any) -> None:
    await world.settle()
    world.cluster.writes.clear()
    edit(world, defaultModel="nobody", workers={"replicas": 5})
    await world.look()
    assert [write[:2] for write in world.cluster.writes] == [("apply_status", "WhisperTranscriber"), ("create", EVENTS)]
    stalled = world.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "defaultModel" in stalled["message"]
    assert world.condition("Ready")["reason"] == "InvalidSpec"
    assert world.condition("ApiReady")["status"] == "True"
    assert world.cluster["WhisperTranscriber", "main"]["status"]["workers"] == {"replicas": 1, "ready": 1}
    edit(world, defaultModel=None)
    await world.settle()
    assert world.condition("Stalled")["status"] == "False"


async def test_paused_says_so_and_stops(world: Any) -> None:
    await world.settle()
    edit(world, paused=True, workers={"replicas": 5})
    await world.cluster.delete(SERVICE, "ns", "main-api")
    await world.look()
    assert ("Service", "main-api") not in world.cluster
    assert world.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"] == 1
    assert world.condition("Reconciling") | {"status": "False", "reason": "Paused"} == world.condition("Reconciling")
    edit(world, paused=False)
    await world.settle()
    assert ("Service", "main-api") in world.cluster


async def test_a_missing_secret_of_the_user_is_named(world: Any) -> None:
    edit(world, postgres={"external": {"secretRef": {"name": "my-database", "key": "uri"}}})
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


async def test_network_policies_go_when_they_are_disabled_and_come_back(world: Any) -> None:
    await world.settle()
    assert len(world.cluster.names(NETWORK_POLICY)) == 7
    edit(world, networkPolicy={"enabled": False})
    await world.look()
    assert world.cluster.names(NETWORK_POLICY) == []
    edit(world, networkPolicy={"enabled": True})
    await world.look()
    assert len(world.cluster.names(NETWORK_POLICY)) == 7


async def test_what_is_no_longer_planned_is_pruned_but_data_never(world: Any) -> None:
    edit(world, api={"replicas": 2})
    await world.settle()
    budget = Kind("policy/v1", "PodDisruptionBudget")
    assert world.cluster.names(budget)
    claim = {"name": "data-main-redis-0", "namespace": "ns", "labels": {"whisper-operator.dev/transcriber": "main"}}
    await world.cluster.create({"apiVersion": PVC.api_version, "kind": PVC.name, "metadata": claim, "spec": {}})
    edit(world, api={"replicas": 1}, redis={"external": {"secretRef": {"name": "mine", "key": "uri"}}})
    await world.look()
    assert not world.cluster.names(budget)
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


async def test_pods_that_run_stay_until_the_new_migration_is_done(world: Any) -> None:
    await world.settle()
    (old,) = world.cluster.names(JOB)
    edit(world, version="0.2.0")
    await world.look()
    assert old not in world.cluster.names(JOB)
    assert world.cluster.names(DEPLOYMENT) == ["main-api", "main-worker-blue"]
    assert world.cluster["Deployment", "main-api"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "0.1.0"
    )
    assert world.condition("DatabaseReady")["status"] == "False"
    await world.settle()
    assert world.cluster["Deployment", "main-api"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "0.2.0"
    )


async def test_an_old_migration_that_is_at_work_is_not_interrupted(world: Any) -> None:
    await world.settle()
    (old,) = world.cluster.names(JOB)
    world.cluster.edit(JOB, "ns", old, {"status": {"conditions": [], "ready": 1}})
    edit(world, version="0.2.0")
    await world.look()
    assert old in world.cluster.names(JOB)


async def test_a_stateful_set_is_replaced_without_its_pods_when_it_cannot_change(world: Any) -> None:
    await world.settle()
    edit(world, redis={"managed": {"storage": "2Gi"}})
    world.cluster.rejects["StatefulSet", "main-redis"] = Immutable("updates to statefulset spec are forbidden")
    await world.look()
    assert ("StatefulSet", "main-redis") not in world.cluster
    world.cluster.rejects.clear()
    await world.settle()
    templates = world.cluster["StatefulSet", "main-redis"]["spec"]["volumeClaimTemplates"]
    assert templates[0]["spec"]["resources"]["requests"]["storage"] == "2Gi"


async def test_a_refused_child_is_reported_and_the_others_are_still_healed(world: Any) -> None:
    await world.settle()
    await world.cluster.delete(SERVICE, "ns", "main-api")
    edit(world, workers={"replicas": 2})
    world.cluster.rejects["Deployment", "main-worker-blue"] = Rejected("QuotaExceeded", "exceeded quota: small")
    await world.look()
    assert world.condition("WorkersReady")["reason"] == "QuotaExceeded"
    assert world.condition("ApiReady")["status"] == "True"
    assert ("Service", "main-api") in world.cluster


async def test_a_webhook_that_is_down_is_told_and_passes(world: Any) -> None:
    await world.settle()
    edit(world, workers={"replicas": 2})
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


async def test_what_pods_live_by_stays_until_the_new_ones_may_start(world: Any) -> None:
    await world.settle()
    live = {key: world.cluster[key] for key in (("ConfigMap", "main-config"), ("NetworkPolicy", "main-api"))}
    away = {"endpoint": "https://s3.example.com", "bucket": "mine", "secretRef": {"name": "s3"}}
    edit(world, objects={"external": away})
    await world.look()
    world.kubelet()
    await world.look()
    assert world.condition("ObjectsReady")["reason"] == "SecretNotFound"
    assert {key: world.cluster[key] for key in live} == live, "their pods may be restarted meanwhile"
    keys = {"access-key": "YQ==", "secret-key": "Yg=="}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": "ns"}, "data": keys}
    await world.cluster.create(secret)
    await world.look()
    assert world.cluster["ConfigMap", "main-config"]["data"]["WHISPER_S3_BUCKET"] == "mine"
    assert ("Service", "main-objects") in world.cluster
    world.kubelet()
    await world.look()
    assert ("Service", "main-objects") not in world.cluster


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
    edit(world, api={"replicas": 2})
    await world.settle()

    async def refuse(*_: Any, **__: Any) -> None:
        raise Rejected("Forbidden", "no right")

    monkeypatch.setattr(world.cluster, verb, refuse)
    edit(world, **change)
    await world.look()
    assert world.condition(condition)["reason"] == "Forbidden"
    assert world.condition("Stalled")["status"] == "True"


async def test_deletion_policy_moves_the_owner_of_secrets(world: Any) -> None:
    await world.settle()

    def owners() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = world.cluster["Secret", "main-postgres"]["metadata"].get("ownerReferences", [])
        return found

    assert not owners()
    edit(world, deletionPolicy="Delete")
    await world.settle()
    assert [owner["name"] for owner in owners()] == ["main"]
    edit(world, deletionPolicy="Retain")
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
    edit(world, defaultModel="nobody")
    create = world.cluster.create

    async def refuse(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Event":
            raise Rejected("Forbidden", "no events here")
        made: dict[str, Any] = await create(manifest)
        return made

    monkeypatch.setattr(world.cluster, "create", refuse)
    await world.look()
    assert world.condition("Stalled")["status"] == "True"
