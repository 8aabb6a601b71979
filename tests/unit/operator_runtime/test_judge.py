"""Each fault, as a kubelet or a controller writes it, becomes one reason and a sentence that says what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.judge import Scene, Verdict, conditions, invalid, readiness, silent, survey, suspects

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LABEL = "app.kubernetes.io/component"


def workload(
    kind: str, name: str, component: str, *, ready: int = 0, replicas: int = 1, **status: Any
) -> dict[str, Any]:
    counts = {"readyReplicas": ready, "updatedReplicas": ready, "observedGeneration": 1}
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "generation": 1, "labels": {LABEL: component}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": meta,
        "spec": {"replicas": replicas},
        "status": counts | status,
    }


def pod(name: str, component: str, *statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    containers = [{"name": s["name"], "image": f"registry/{s['name']}:1"} for s in statuses]
    return {
        "metadata": {"name": name, "namespace": "ns", "labels": {LABEL: component}},
        "spec": {"containers": containers},
        "status": {"containerStatuses": list(statuses), **status},
    }


def container(
    name: str, *, waiting: str = "", message: str = "", restarts: int = 0, ended: Any = None
) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting, "message": message}} if waiting else {"running": {}}
    last = {"terminated": ended} if ended else {}
    return {"name": name, "state": state, "lastState": last, "restartCount": restarts, "ready": False}


def scene(*workloads: dict[str, Any], **rest: Any) -> Scene:
    children = {(w["kind"], w["metadata"]["name"]): w for w in workloads}
    return Scene(planned=list(workloads), children=children, **rest)


def workers(*pods: dict[str, Any], **rest: Any) -> Verdict | None:
    return survey(scene(workload("Deployment", "main-worker-blue", "worker"), pods=pods, **rest))["WorkersReady"]


def redis(**rest: Any) -> Verdict | None:
    return survey(scene(workload("StatefulSet", "main-redis", "redis"), **rest))["QueueReady"]


def claim(storage_class: str | None = "fast", phase: str = "Pending") -> dict[str, Any]:
    meta = {"name": "data-main-redis-0", "namespace": "ns", "uid": "uid-claim", "labels": {LABEL: "redis"}}
    return {"metadata": meta, "spec": {"storageClassName": storage_class}, "status": {"phase": phase}}


def event(uid: str, reason: str, note: str, kind: str = "Warning", at: str = "2026-05-01T12:00:00Z") -> dict[str, Any]:
    return {
        "metadata": {"name": "e"},
        "regarding": {"uid": uid},
        "reason": reason,
        "note": note,
        "type": kind,
        "deprecatedLastTimestamp": at,
    }


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_named_with_the_nodes_words(reason: str) -> None:
    verdict = workers(pod("w-1", "worker", container("worker", waiting=reason, message="no such host")))
    assert verdict and verdict.reason == "ImagePullFailed" and verdict.stalled
    assert "registry/worker:1" in verdict.message and "no such host" in verdict.message


def test_a_crash_loop_gives_container_and_exit_code() -> None:
    status = container("worker", waiting="CrashLoopBackOff", restarts=4, ended={"exitCode": 3, "reason": "Error"})
    verdict = workers(pod("w-1", "worker", status))
    assert verdict and verdict.reason == "CrashLooping"
    assert "exit code 3" in verdict.message and "kubectl logs w-1 --container worker" in verdict.message


def test_what_serves_until_a_migration_is_done_is_judged_meanwhile() -> None:
    live = workload("Deployment", "main-api", "api")
    status = container("api", waiting="CrashLoopBackOff", restarts=1, ended={"exitCode": 1})
    seen = Scene([], {("Deployment", "main-api"): live}, pods=[pod("a-1", "api", status)])
    verdict = survey(seen)["ApiReady"]
    assert verdict and verdict.reason == "CrashLooping"
    live["status"] |= {"readyReplicas": 1, "updatedReplicas": 1}
    assert survey(seen)["ApiReady"] is None


def test_one_restart_is_no_crash_loop() -> None:
    verdict = workers(pod("w-1", "worker", container("worker", restarts=1, ended={"exitCode": 1})))
    assert verdict and verdict.reason == "Progressing" and not verdict.stalled


def test_out_of_memory_goes_before_crash_looping_and_names_the_limit() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    broken = pod("w-1", "worker", container("worker", waiting="CrashLoopBackOff", restarts=4, ended=ended))
    broken["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    verdict = workers(broken)
    assert verdict and verdict.reason == "OutOfMemory" and "1Gi" in verdict.message


def test_an_unschedulable_pod_carries_the_schedulers_words() -> None:
    said = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes: no nvidia.com/gpu.",
    }
    verdict = workers(pod("w-1", "worker", conditions=[said]))
    assert verdict and verdict.reason == "Unschedulable" and "no nvidia.com/gpu" in verdict.message


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('secret "mine" not found', "SecretNotFound"),
        ("couldn't find key token in Secret ns/mine", "SecretIncomplete"),
        ("couldn't find key token in ConfigMap ns/mine", "ContainerCannotStart"),
    ],
)
def test_what_a_container_lacks(said: str, reason: str) -> None:
    status = container("worker", waiting="CreateContainerConfigError", message=said)
    verdict = workers(pod("w-1", "worker", status))
    assert verdict and verdict.reason == reason and "mine" in verdict.message


def test_an_evicted_pod() -> None:
    verdict = workers(pod("w-1", "worker", phase="Failed", reason="Evicted", message="disk pressure"))
    assert verdict and verdict.reason == "PodEvicted"


def test_a_pod_that_goes_away_is_no_witness() -> None:
    going = pod("w-1", "worker", container("worker", waiting="ErrImagePull", message="x"))
    going["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    verdict = workers(going)
    assert verdict and verdict.reason == "Progressing"


def test_pods_refused_for_quota_by_the_deployments_condition() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: exceeded quota: small'}
    broken = workload("Deployment", "main-worker-blue", "worker", conditions=[failure])
    verdict = survey(scene(broken))["WorkersReady"]
    assert verdict and verdict.reason == "QuotaExceeded" and "small" in verdict.message


def test_pods_refused_because_a_webhook_is_down() -> None:
    said = 'Internal error occurred: failed calling webhook "x": no endpoints available for service "y"'
    failure = {"type": "ReplicaFailure", "status": "True", "message": said}
    verdict = survey(scene(workload("Deployment", "main-worker-blue", "worker", conditions=[failure])))["WorkersReady"]
    assert verdict and verdict.reason == "WebhookFailed" and 'webhook "x"' in verdict.message


def test_pods_refused_for_quota_by_an_event_about_the_stateful_set() -> None:
    refused = event("uid-main-redis", "FailedCreate", "exceeded quota: small")
    verdict = redis(events=[refused])
    assert verdict and verdict.reason == "QuotaExceeded"
    later = event("uid-main-redis", "SuccessfulCreate", "created", "Normal", "2026-05-01T12:01:00Z")
    verdict = redis(events=[refused, later])
    assert verdict and verdict.reason == "Progressing"


def test_no_default_storage_class() -> None:
    verdict = redis(claims=[claim(None)])
    assert verdict and verdict.reason == "StorageClassNotFound"
    assert "spec.redis.managed.storageClassName" in verdict.message


def test_a_storage_class_that_does_not_exist() -> None:
    said = event("uid-claim", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    verdict = redis(claims=[claim()], events=[said])
    assert verdict and verdict.reason == "StorageClassNotFound" and "fast" in verdict.message


def test_a_volume_that_takes_its_time_is_no_fault_but_a_failed_one_is() -> None:
    verdict = redis(claims=[claim()])
    assert verdict and verdict.reason == "VolumePending" and not verdict.stalled
    verdict = redis(claims=[claim()], events=[event("uid-claim", "ProvisioningFailed", "out of disks")])
    assert verdict and verdict.reason == "VolumePending" and verdict.stalled and "out of disks" in verdict.message
    late = "Error saving claim: Operation cannot be fulfilled: the object has been modified; please try again"
    verdict = redis(claims=[claim()], events=[event("uid-claim", "ProvisioningFailed", late)])
    assert verdict and verdict.reason == "VolumePending" and not verdict.stalled


def test_who_is_asked_for_events() -> None:
    healthy = workload("StatefulSet", "main-postgres", "postgres", ready=1)
    broken = workload("StatefulSet", "main-redis", "redis")
    assert suspects(scene(healthy, broken, claims=[claim()])) == ["uid-claim", "uid-main-redis"]
    assert suspects(scene(healthy, claims=[claim(phase="Bound")])) == []


def test_a_ready_workload_needs_no_witness() -> None:
    ready = workload("Deployment", "main-worker-blue", "worker", ready=1)
    stray = pod("old", "worker", container("worker", waiting="ErrImagePull"))
    assert survey(scene(ready, pods=[stray]))["WorkersReady"] is None


FULL_DISK = 'PANIC: could not write to file "pg_wal/xlogtemp.29": No space left on device'


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (FULL_DISK, "VolumeFull"),
        ('asyncpg.InvalidPasswordError: password authentication failed for user "whisper"', "PasswordRefused"),
        ("KeyError: 'x'", "CrashLooping"),
    ],
)
def test_a_crash_is_known_by_its_last_words(said: str, reason: str) -> None:
    status = container("worker", waiting="CrashLoopBackOff", restarts=4, ended={"exitCode": 1, "message": said})
    verdict = workers(pod("w-1", "worker", status))
    assert verdict and verdict.reason == reason and verdict.stalled and said in verdict.message


def test_known_last_words_are_told_at_once_and_until_it_is_ready() -> None:
    ended = {"exitCode": 1, "message": FULL_DISK}
    again = container("worker", restarts=1, ended=ended)
    verdict = workers(pod("w-1", "worker", again))
    assert verdict and verdict.reason == "VolumeFull"
    over = {"name": "worker", "state": {"terminated": ended}, "restartCount": 0, "ready": False}
    verdict = workers(pod("w-1", "worker", over))
    assert verdict and verdict.reason == "VolumeFull"
    assert workers(pod("w-1", "worker", {**again, "ready": True})) != verdict


def running(name: str, component: str, *, since: str = "2026-05-01T11:59:00Z") -> dict[str, Any]:
    """A pod that runs and is not ready."""
    found = pod(name, component, {**container(component), "state": {"running": {"startedAt": since}}})
    found["metadata"]["uid"] = f"uid-{name}"
    return found


def test_a_readiness_probe_tells_what_a_store_lacks() -> None:
    old = event("uid-r-1", "Unhealthy", "Readiness probe failed: LOADING", at="2026-05-01T11:00:00Z")
    full = event("uid-r-1", "Unhealthy", "Readiness probe failed: the volume is full: 3 MiB are left")
    start = event("uid-r-1", "Unhealthy", "Startup probe failed: no", at="2026-05-01T12:01:00Z")
    verdict = redis(pods=[running("r-1", "redis")], events=[full, old, start])
    assert verdict and verdict.reason == "VolumeFull" and "3 MiB are left" in verdict.message
    waiting = redis(pods=[running("r-1", "redis")], events=[old])
    assert waiting and waiting.reason == "Progressing" and "LOADING" in waiting.message


@pytest.mark.parametrize(
    ("component", "answer", "reason"),
    [
        ("api", '{"ready": false, "checks": {"store": "unavailable", "objects": "ok"}}', "DatabaseUnreachable"),
        ("api", '{"ready": false, "checks": {"store": "password refused", "objects": "ok"}}', "PasswordRefused"),
        ("api", '{"ready": false, "checks": {"store": "ok", "objects": "too slow"}}', "ObjectsUnreachable"),
        ("api", '{"ready": false, "checks": {"process": "stopping"}}', "Progressing"),
        ("worker", "the default model is not loaded: The model 'x' has another digest", "ModelUnavailable"),
        ("worker", "the default model is not loaded yet", "Progressing"),
        ("worker", "<html>", "Progressing"),
    ],
)
def test_a_pod_says_itself_what_it_lacks(component: str, answer: str, reason: str) -> None:
    done = [{"type": "Complete", "status": "True"}]
    seen = scene(
        workload("Deployment", f"main-{component}", component),
        workload("StatefulSet", "main-postgres", "postgres", ready=1),
        workload("Job", "main-migrate-1", "migrate", conditions=done),
        pods=[running("p-1", component)],
        answers={"uid-p-1": readiness(answer)},
    )
    verdict = survey(seen)["ApiReady" if component == "api" else "WorkersReady"]
    assert verdict and verdict.reason == reason and verdict.stalled == (reason != "Progressing")


def test_what_waits_for_a_store_that_starts_is_no_fault() -> None:
    lacks = '{"ready": false, "checks": {"store": "ok", "objects": "unavailable"}}'
    api, objects = workload("Deployment", "main-api", "api"), workload("StatefulSet", "main-objects", "objects")
    known = {"pods": [running("p-1", "api")], "answers": {"uid-p-1": readiness(lacks)}}
    verdict = survey(scene(api, objects, **known))["ApiReady"]
    assert verdict and verdict.reason == "Progressing" and not verdict.stalled and "objects" in verdict.message
    objects["status"] |= {"readyReplicas": 1, "updatedReplicas": 1}
    verdict = survey(scene(api, objects, **known))["ApiReady"]
    assert verdict and verdict.reason == "ObjectsUnreachable" and verdict.stalled


def test_who_is_asked_what_it_lacks() -> None:
    young, old = running("y", "api", since="2026-05-01T11:59:55Z"), running("o", "api")
    well = pod("w", "api", {**container("api"), "ready": True})
    again = running("a", "api", since="2026-05-01T11:59:55Z")
    again["status"]["containerStatuses"][0]["restartCount"] = 1
    assert silent([young, well, old, again], NOON, 8) == [old, again]


def test_zero_workers_wanted_are_ready() -> None:
    assert survey(scene(workload("Deployment", "main-worker-blue", "worker", replicas=0)))["WorkersReady"] is None


def test_old_pods_do_not_make_a_new_template_ready() -> None:
    rolling = workload("Deployment", "main-worker-blue", "worker", ready=1, updatedReplicas=0)
    verdict = survey(scene(rolling))["WorkersReady"]
    assert verdict and verdict.reason == "Progressing"


def test_beside_a_surge_pod_that_cannot_start_the_old_one_does_not_pass_for_it() -> None:
    """What a Deployment of one replica reports after a bad image: one pod ready, one updated, two in all."""
    surging = workload("Deployment", "main-worker-blue", "worker", ready=1, updatedReplicas=1, unavailableReplicas=1)
    surging["status"]["replicas"] = 2
    broken = pod("w-2", "worker", container("worker", waiting="ErrImagePull", message="no such tag"))
    verdict = survey(scene(surging, pods=[broken]))["WorkersReady"]
    assert verdict and verdict.reason == "ImagePullFailed" and "no such tag" in verdict.message
    starting = survey(scene(surging))["WorkersReady"]
    assert starting and starting.reason == "Progressing" and not starting.stalled


def test_a_rollout_is_ready_once_the_old_pods_are_gone() -> None:
    for total, ready in ((3, False), (2, True)):
        rolling = workload("Deployment", "main-worker-blue", "worker", ready=2, replicas=2)
        rolling["status"]["replicas"] = total
        assert (survey(scene(rolling))["WorkersReady"] is None) is ready


def test_pods_that_are_too_many_are_waited_for_when_scaling_down() -> None:
    shrinking = workload("Deployment", "main-worker-blue", "worker", ready=3, replicas=1)
    shrinking["status"]["replicas"] = 3
    assert survey(scene(shrinking))["WorkersReady"] is None, "all are of the newest template, and one is enough"


def migration(*conditions: dict[str, str], pods: Any = ()) -> Verdict | None:
    postgres = workload("StatefulSet", "main-postgres", "postgres", ready=1)
    job = workload("Job", "main-migrate-1", "migrate", conditions=list(conditions))
    return survey(scene(postgres, job, pods=pods))["DatabaseReady"]


def test_a_migration_that_runs_fails_or_is_done() -> None:
    running, failed = migration(), migration({"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"})
    assert running and running.reason == "Migrating"
    assert failed and failed.reason == "MigrationFailed" and "kubectl logs job/main-migrate-1" in failed.message
    assert migration({"type": "Complete", "status": "True"}) is None


def test_a_migration_that_crashes_again_and_again_has_failed() -> None:
    status = container("migrate", waiting="CrashLoopBackOff", restarts=3, ended={"exitCode": 1})
    witness = pod("m-1", "migrate", status)
    assert (stranger := migration(pods=[witness])) and stranger.reason == "Migrating"
    witness["metadata"]["ownerReferences"] = [{"uid": "uid-main-migrate-1"}]
    assert (verdict := migration(pods=[witness])) and verdict.reason == "MigrationFailed"


GOOD: dict[str, Verdict | None] = dict.fromkeys(("DatabaseReady", "QueueReady", "WorkersReady"))
WAIT = Verdict("Progressing", "soon")
FAULT = Verdict("OutOfMemory", "more", stalled=True)


def by_type(found: list[Condition]) -> dict[str, tuple[str, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in found}


def test_all_good_is_ready_and_at_rest() -> None:
    found = by_type(conditions([], GOOD, 3, NOON))
    assert found["Ready"] == ("True", "Ready")
    assert found["Reconciling"][0] == found["Stalled"][0] == "False"


def test_a_fault_explains_more_than_a_wait() -> None:
    found = by_type(conditions([], {**GOOD, "DatabaseReady": WAIT, "WorkersReady": FAULT}, 3, NOON))
    assert found["Ready"] == ("False", "OutOfMemory")
    assert found["Stalled"] == ("True", "OutOfMemory")
    assert found["Reconciling"][0] == "False"
    assert found["DatabaseReady"] == ("False", "Progressing")


def test_waiting_is_reconciling_and_not_stalled() -> None:
    found = by_type(conditions([], {**GOOD, "QueueReady": WAIT}, 3, NOON))
    assert (found["Reconciling"], found["Stalled"][0]) == (("True", "Progressing"), "False")


def test_an_invalid_spec_at_first_sight_leaves_no_condition_out() -> None:
    found = by_type(invalid([], "spec.x is wrong", 1, NOON))
    assert found["Stalled"] == ("True", "InvalidSpec")
    assert found["ApiReady"] == ("Unknown", "InvalidSpec")
    assert list(found)[:3] == ["Ready", "Reconciling", "Stalled"]
