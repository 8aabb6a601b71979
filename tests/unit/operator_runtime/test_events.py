"""Which Events are warnings: faults, and nothing of an ordinary start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.cluster.port import Kind
from whisper_operator.reconcile.report import event

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BODY = {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "main", "namespace": "ns", "uid": "u"}}


def told(world: Any) -> list[dict[str, Any]]:
    return [world.cluster["Event", name] for name in world.cluster.names(Kind("events.k8s.io/v1", "Event"))]


async def test_an_ordinary_start_and_a_change_warn_of_nothing(world: Any) -> None:
    await world.look()
    await world.settle()
    world.cluster.edit(
        Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber"), "ns", "main", {"spec": {"version": "0.2.0"}}
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
