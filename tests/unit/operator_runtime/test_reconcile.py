"""One look at one transcriber, against a cluster in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from whisper_operator.cluster.port import (
    BUDGET,
    DEPLOYMENT,
    JOB,
    NETWORK_POLICY,
    PODS_AUTOSCALER,
    SERVICE,
    STATEFUL_SET,
)
from whisper_operator.errors import Immutable


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
    assert {world.condition(kind)["reason"] for kind in ("DatabaseReady", "WorkersReady")} == {"Progressing"}
    assert world.cluster.names(DEPLOYMENT) == ["main-api", "main-worker-blue"], "they need not wait for the database"
    assert not world.cluster.names(JOB)


async def test_that_all_is_on_its_way_is_left_to_the_next_look_where_that_comes_at_once(world: Any) -> None:
    assert (await world.look(rung=lambda: True)).label == "waiting"
    assert "status" not in world.cluster["WhisperTranscriber", "main"]
    assert ("create", "Event") in {write[:2] for write in world.cluster.writes}, "what was made is told"
    world.cluster.writes.clear()
    await world.look(rung=lambda: True)
    assert [write[:2] for write in world.cluster.writes] == [("apply_status", "WhisperTranscriber")], "only once"
    assert world.condition("Ready")["status"] == "False"


async def test_what_is_wrong_from_the_beginning_is_told_at_once(world: Any) -> None:
    world.edit(postgres={"external": {"secretRef": {"name": "nowhere", "key": "dsn"}}})
    assert (await world.look(rung=lambda: True)).label == "stalled"
    assert world.condition("Ready")["status"] == "False"


async def test_beside_an_external_database_pods_wait_for_the_migration(world: Any) -> None:
    world.edit(postgres={"external": {"secretRef": {"name": "pg", "key": "dsn"}}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg", "namespace": "ns"}}
    await world.cluster.create({**secret, "data": {"dsn": "eA=="}})
    await world.look()
    assert world.condition("WorkersReady")["reason"] == "WaitingForMigration"
    assert world.cluster.names(JOB) and not world.cluster.names(DEPLOYMENT)
    await world.settle()
    assert world.condition("Ready")["status"] == "True"


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
    world.edit(workers={"replicas": 3})
    await world.look()
    assert world.condition("Ready") | {"status": "False", "observedGeneration": 2} == world.condition("Ready")
    world.kubelet()
    await world.look()
    assert world.condition("Ready")["status"] == "True"


async def test_an_invalid_spec_changes_nothing_that_runs(world: Any) -> None:
    await world.settle()
    world.cluster.writes.clear()
    world.edit(defaultModel="nobody", workers={"replicas": 5})
    await world.look()
    assert [write[:2] for write in world.cluster.writes] == [
        ("apply_status", "WhisperTranscriber"),
        ("create", "Event"),
    ]
    stalled = world.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "defaultModel" in stalled["message"]
    assert world.condition("Ready")["reason"] == "InvalidSpec"
    assert world.condition("ApiReady")["status"] == "True"
    assert world.cluster["WhisperTranscriber", "main"]["status"]["workers"] == {"replicas": 1, "ready": 1}
    world.edit(defaultModel=None)
    await world.settle()
    assert world.condition("Stalled")["status"] == "False"


async def test_paused_says_so_and_stops(world: Any) -> None:
    await world.settle()
    world.edit(paused=True, workers={"replicas": 5})
    await world.cluster.delete(SERVICE, "ns", "main-api")
    await world.look()
    assert ("Service", "main-api") not in world.cluster
    assert world.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"] == 1
    assert world.condition("Reconciling") | {"status": "False", "reason": "Paused"} == world.condition("Reconciling")
    world.edit(paused=False)
    await world.settle()
    assert ("Service", "main-api") in world.cluster


async def test_network_policies_go_when_they_are_disabled_and_come_back(world: Any) -> None:
    await world.settle()
    assert len(world.cluster.names(NETWORK_POLICY)) == 7
    world.edit(networkPolicy={"enabled": False})
    await world.look()
    assert world.cluster.names(NETWORK_POLICY) == []
    world.edit(networkPolicy={"enabled": True})
    await world.look()
    assert len(world.cluster.names(NETWORK_POLICY)) == 7


async def test_pods_that_run_stay_until_the_new_migration_is_done(world: Any) -> None:
    world.edit(api={"replicas": 2}, workers={"autoscaling": {"provider": "hpa", "min": 1, "max": 2}})
    await world.settle()
    (old,) = world.cluster.names(JOB)
    world.edit(version="0.1.1")
    await world.look()
    assert old not in world.cluster.names(JOB)
    assert world.cluster.names(PODS_AUTOSCALER) == ["main-worker"], "what scales them stays too"
    assert "main-api" in world.cluster.names(BUDGET)
    assert world.cluster.names(DEPLOYMENT) == ["main-api", "main-worker-blue"]
    assert world.cluster["Deployment", "main-api"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "0.1.0"
    )
    assert world.condition("DatabaseReady")["status"] == "False"
    await world.settle()
    assert world.cluster["Deployment", "main-api"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "0.1.1"
    )


async def test_an_old_migration_that_is_at_work_is_not_interrupted(world: Any) -> None:
    await world.settle()
    (old,) = world.cluster.names(JOB)
    world.cluster.edit(JOB, "ns", old, {"status": {"conditions": [], "ready": 1}})
    world.edit(version="0.1.1")
    await world.look()
    assert old in world.cluster.names(JOB)


async def test_a_stateful_set_is_replaced_without_its_pods_when_it_cannot_change(world: Any) -> None:
    await world.settle()
    world.edit(redis={"managed": {"storage": "2Gi"}})
    world.cluster.rejects["StatefulSet", "main-redis"] = Immutable("updates to statefulset spec are forbidden")
    await world.look()
    assert ("StatefulSet", "main-redis") not in world.cluster
    world.cluster.rejects.clear()
    await world.settle()
    templates = world.cluster["StatefulSet", "main-redis"]["spec"]["volumeClaimTemplates"]
    assert templates[0]["spec"]["resources"]["requests"]["storage"] == "2Gi"


async def test_what_pods_live_by_stays_until_the_new_ones_may_start(world: Any) -> None:
    await world.settle()
    live = {key: world.cluster[key] for key in (("ConfigMap", "main-config"), ("NetworkPolicy", "main-api"))}
    away = {"endpoint": "https://s3.example.com", "bucket": "mine", "secretRef": {"name": "s3"}}
    world.edit(objects={"external": away})
    await world.look()
    world.kubelet()
    await world.look()
    assert world.condition("ObjectsReady")["reason"] == "SecretNotFound"
    assert {key: world.cluster[key] for key in live} == live, "their pods may be restarted meanwhile"
    keys = {"access-key": "YQ==", "secret-key": "Yg=="}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": "ns"}, "data": keys}
    await world.cluster.create(secret)
    await world.look()
    assert {key: world.cluster[key] for key in live} == live, "the migration has only begun"
    world.kubelet()
    await world.look()
    assert world.cluster["ConfigMap", "main-config"]["data"]["WHISPER_S3_BUCKET"] == "mine"
    assert ("Service", "main-objects") in world.cluster
    world.kubelet()
    await world.look()
    assert ("Service", "main-objects") not in world.cluster
