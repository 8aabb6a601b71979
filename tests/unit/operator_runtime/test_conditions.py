"""All verdicts together become the conditions of a transcriber."""

from __future__ import annotations

from unit.operator_runtime.scenes import NOON
from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.errors import InvalidSpec
from whisper_operator.judge import Verdict, conditions, invalid

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
    found = by_type(invalid([], InvalidSpec("spec.x is wrong"), 1, NOON))
    assert found["Stalled"] == ("True", "InvalidSpec")
    assert found["ApiReady"] == ("Unknown", "InvalidSpec")
    assert list(found)[:3] == ["Ready", "Reconciling", "Stalled"]
