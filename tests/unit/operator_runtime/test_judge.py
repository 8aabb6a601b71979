"""Each fault, as a kubelet or a controller writes it, becomes one reason and a sentence that says what to do."""

from __future__ import annotations

import pytest

from unit.operator_runtime.scenes import NOON, claim, container, event, pod, redis, running, scene, workers, workload
from whisper_operator.judge import Scene, readiness, silent, survey, suspects


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
