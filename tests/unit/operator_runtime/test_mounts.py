"""A pod that cannot begin for want of what it mounts: told by the kubelet's Events, and healed at the next look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from unit.operator_runtime.scenes import NOON, container, event, pod, redis, running
from whisper_operator.cluster.port import SECRET, STATEFUL_SET
from whisper_operator.judge import stuck

FAILED = 'MountVolume.SetUp failed for volume "run-tls" : '


def waits(name: str = "main-redis-0", since: str = "2026-05-01T11:59:00Z", **meta: Any) -> dict[str, Any]:
    """A pod that a node has taken, and that has not begun."""
    found = pod(name, "redis", container("redis", waiting="ContainerCreating"), startTime=since)
    found["metadata"] |= {"uid": f"uid-{name}", **meta}
    return found


@pytest.mark.parametrize(
    ("said", "reason", "names"),
    [
        (f'{FAILED}secret "main-redis-tls" not found', "SecretNotFound", "Secret main-redis-tls"),
        (f'{FAILED}configmap "main-ca" not found', "ConfigMapNotFound", "ConfigMap main-ca"),
        (f"{FAILED}references non-existent secret key: tls.crt", "SecretIncomplete", "no key tls.crt"),
    ],
)
def test_what_it_lacks_is_named(said: str, reason: str, names: str) -> None:
    verdict = redis(pods=[waits()], events=[event("uid-main-redis-0", "FailedMount", said)])
    assert verdict and verdict.reason == reason and verdict.stalled
    assert names in verdict.message and "main-redis-0" in verdict.message


def test_only_the_last_word_about_a_pod_that_waits_counts() -> None:
    gone = f'{FAILED}secret "main-redis-tls" not found'
    old = event("uid-main-redis-0", "FailedMount", gone, at="2026-05-01T11:00:00Z")
    new = event("uid-main-redis-0", "FailedMount", f"{FAILED}timed out", at="2026-05-01T11:30:00Z")
    for pods, events in (
        ([waits()], [old, new]),
        ([waits()], [event("uid-another", "FailedMount", gone)]),
        ([waits()], [event("uid-main-redis-0", "Failed", gone)]),
        ([running("main-redis-0", "redis")], [old]),
        ([waits(deletionTimestamp="2026-05-01T12:00:00Z")], [old]),
    ):
        verdict = redis(pods=pods, events=events)
        assert verdict and verdict.reason == "Progressing" and not verdict.stalled


def test_nobody_reads_events_about_pods_that_have_just_come() -> None:
    late, young = waits("late"), waits("young", since="2026-05-01T11:59:55Z")
    going, unscheduled = waits("going", deletionTimestamp="2026-05-01T12:00:00Z"), waits("unscheduled")
    del unscheduled["status"]["startTime"]
    assert stuck([late, young, going, unscheduled, running("runs", "redis")], NOON, 8) == [late]


async def test_a_certificate_that_a_hand_deleted_is_told_and_made_again(world: Any) -> None:
    await world.settle()
    await world.cluster.delete(SECRET, "ns", "main-redis-tls")
    lacking = {"apiVersion": "v1", "kind": "Pod", **waits()}
    lacking["metadata"]["labels"] |= {"whisper-operator.dev/transcriber": "main"}
    made = await world.cluster.create(lacking)
    note = event(made["metadata"]["uid"], "FailedMount", f'{FAILED}secret "main-redis-tls" not found')
    note["metadata"] = {"name": "note", "namespace": "ns"}
    await world.cluster.create({"apiVersion": "events.k8s.io/v1", "kind": "Event", **note})
    world.cluster.edit(STATEFUL_SET, "ns", "main-redis", {"status": {"readyReplicas": 0}})
    outcome = await world.look(NOON + timedelta(seconds=30))
    assert world.condition("QueueReady")["reason"] == "SecretNotFound"
    assert outcome.label == "stalled", "so that the next look reads Secrets anew"
    assert ("Secret", "main-redis-tls") in world.cluster
