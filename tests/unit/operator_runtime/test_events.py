"""Which Events are warnings: faults, and nothing of an ordinary start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest

from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.cluster.port import DEPLOYMENT, Kind
from whisper_operator.reconcile.events import BURST, REFILL, Budget, event, noteworthy

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BODY = {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "main", "namespace": "ns", "uid": "u"}}


def told(world: Any) -> list[dict[str, Any]]:
    return [world.cluster["Event", name] for name in world.cluster.names(Kind("events.k8s.io/v1", "Event"))]


async def test_an_ordinary_start_and_a_change_warn_of_nothing(world: Any) -> None:
    await world.look()
    await world.settle()
    world.cluster.edit(
        Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber"), "ns", "main", {"spec": {"version": "0.1.1"}}
    )
    await world.look()
    await world.settle()
    assert {e["reason"] for e in told(world)} & {"Migrating", "Progressing"}
    assert {e["type"] for e in told(world)} == {"Normal"}


async def test_a_fault_is_a_warning(world: Any) -> None:
    await world.settle()
    await world.cluster.apply(
        {
            "apiVersion": "whisper-operator.dev/v1alpha1",
            "kind": "WhisperTranscriber",
            "metadata": {"name": "main", "namespace": "ns"},
            "spec": {"redis": {"external": {"secretRef": {"name": "mine", "key": "uri"}}}},
        }
    )
    await world.look()
    warnings = {e["reason"] for e in told(world) if e["type"] == "Warning"}
    assert warnings == {"SecretNotFound"}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Progressing", "Normal"),
        ("Migrating", "Normal"),
        ("WaitingForMigration", "Normal"),
        ("VolumePending", "Normal"),
        ("Cancelled", "Normal"),
        ("CrashLooping", "Warning"),
        ("InvalidAudio", "Warning"),
        ("PodEvicted", "Warning"),
    ],
)
def test_what_warns(reason: str, kind: str) -> None:
    condition = Condition(type="QueueReady", status="False", reason=reason, message="said")
    made = event(BODY, condition, NOON, "test")
    assert (made["type"], made["reason"]) == (kind, reason)
    assert made["note"] == "QueueReady is False: said"


def test_what_stalls_warns_whatever_its_reason() -> None:
    """A volume that takes its time is no fault, but one that the provisioner cannot make is."""
    condition = Condition(type="QueueReady", status="False", reason="VolumePending", message="out of disks")
    stalled = Condition(type="Stalled", status="True", reason="VolumePending", message="out of disks")
    assert event(BODY, condition, NOON, "test", stalled)["type"] == "Warning"
    elsewhere = stalled.model_copy(update={"message": "something else"})
    assert event(BODY, condition, NOON, "test", elsewhere)["type"] == "Normal"


def conditions(ready: str, reason: str, stalled: str = "False", message: str = "m") -> list[Condition]:
    return [
        Condition(type="Ready", status=ready, reason=reason, message=message),
        Condition(type="Stalled", status=stalled, reason=reason, message=message),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ([], conditions("False", "Progressing"), None),
        ([], conditions("False", "InvalidSpec", "True"), "Ready"),
        (conditions("False", "Progressing"), conditions("False", "Migrating"), None),
        (conditions("False", "Progressing"), conditions("True", "Ready"), "Ready"),
        (conditions("True", "Ready"), conditions("False", "Progressing"), "Ready"),
        (conditions("False", "Progressing"), conditions("False", "CrashLooping", "True"), "Ready"),
        (conditions("False", "CrashLooping", "True"), conditions("False", "Progressing"), "Ready"),
        (conditions("False", "VolumePending"), conditions("False", "VolumePending", "True"), "Stalled"),
        (conditions("False", "VolumePending", "True"), conditions("False", "VolumePending"), "Stalled"),
        (conditions("True", "Ready"), conditions("True", "Ready", message="other words"), None),
    ],
)
def test_which_turn_is_told(old: list[Condition], new: list[Condition], told: str | None) -> None:
    found = noteworthy(old, new)
    assert (found and found.type) == told


def test_what_is_stuck_and_no_longer_stuck_is_told_in_kind() -> None:
    stuck = Condition(type="Stalled", status="True", reason="VolumePending", message="out of disks")
    assert (event(BODY, stuck, NOON, "t", stuck)["type"], event(BODY, stuck, NOON, "t", stuck)["reason"]) == (
        "Warning",
        "VolumePending",
    )
    free = Condition(type="Stalled", status="False", reason="AsDesired", message="")
    assert event(BODY, free, NOON, "t", free)["type"] == "Normal"


async def test_what_was_done_to_children_is_told_once(world: Any) -> None:
    await world.look()
    (created,) = [e for e in told(world) if e["reason"] == "Created"]
    assert "Service main-api" in created["note"] and "Secret main-postgres" in created["note"]
    await world.settle()
    for name in world.cluster.names(Kind("events.k8s.io/v1", "Event")):
        await world.cluster.delete(Kind("events.k8s.io/v1", "Event"), "ns", name)
    world.cluster.edit(DEPLOYMENT, "ns", "main-api", {"spec": {"replicas": 7}})
    await world.look()
    assert [e["note"] for e in told(world) if e["action"] == "Apply"] == ["Updated Deployment main-api"]
    assert all(e["regarding"]["name"] == "main" for e in told(world))
    await world.settle()
    assert len([e for e in told(world) if e["action"] == "Apply"]) == 1


async def test_deletions_are_told(world: Any) -> None:
    transcriber = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
    world.cluster.edit(transcriber, "ns", "main", {"spec": {"api": {"replicas": 2}}})
    await world.settle()
    world.cluster.edit(transcriber, "ns", "main", {"spec": {"api": {"replicas": 1}}})
    await world.look()
    assert "Deleted PodDisruptionBudget main-api" in [e["note"] for e in told(world)]


async def test_a_tug_of_war_does_not_flood(world: Any) -> None:
    await world.settle()
    for replicas in range(2, BURST + 20):
        world.cluster.edit(DEPLOYMENT, "ns", "main-api", {"spec": {"replicas": replicas}})
        await world.look()
    assert [event["reason"] for event in told(world)].count("Updated") == BURST


def test_a_budget_fills_up_again() -> None:
    budget = Budget()
    assert [budget.take(NOON, "a") for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert not budget.take(NOON + REFILL / 2, "a")
    assert budget.take(NOON + REFILL, "a")
    assert not budget.take(NOON + REFILL, "a")
    later = NOON + timedelta(days=1)
    assert [budget.take(later, "a") for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_what_comes_and_goes_does_not_keep_another_fault_from_being_told() -> None:
    budget = Budget()
    assert [budget.take(NOON, "CrashLooping") for _ in range(3 * BURST)].count(True) == BURST
    assert budget.take(NOON, "VolumeFull")


async def test_a_transcriber_that_is_gone_leaves_no_gauges(world: Any) -> None:
    def gauges() -> list[str]:
        lines = generate_latest().decode().splitlines()
        return [line for line in lines if line.startswith("whisper_operator_condition{") and 'name="main"' in line]

    await world.settle()
    assert any('condition="Ready"' in line and line.endswith(" 1.0") for line in gauges())
    await world.cluster.delete(Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber"), "ns", "main")
    await world.look()
    assert gauges() == []
