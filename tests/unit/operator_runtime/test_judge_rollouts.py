"""What of a rollout, a scaling or a migration is ready, waited for or failed."""

from __future__ import annotations

from typing import Any

from unit.operator_runtime.scenes import container, pod, scene, workload
from whisper_operator.judge import Verdict, survey


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
