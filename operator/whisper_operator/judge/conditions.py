"""From complaints to conditions that people, kubectl wait, kstatus and Argo CD understand."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from whisper_operator.api.v1alpha1.conditions import Condition, Status, mark
from whisper_operator.errors import InvalidSpec
from whisper_operator.judge.scene import Verdict
from whisper_operator.judge.survey import CERTIFICATES, CONDITIONS

# A transcriber has Ready, a job Succeeded: the sum goes first.
ORDER = ("Ready", "Succeeded", "Reconciling", "Stalled", *CONDITIONS, CERTIFICATES)
PAUSED = Verdict("Paused", "spec.paused is true: nothing is changed until it is false again.")


def conditions(
    old: Sequence[Condition],
    complaints: Mapping[str, Verdict | None],
    generation: int,
    now: datetime,
    *,
    paused: bool = False,
) -> list[Condition]:
    """All conditions of a transcriber whose spec is valid. Reconciling and Stalled are abnormal-true."""
    found = [verdict for verdict in complaints.values() if verdict]
    worst = next((verdict for verdict in found if verdict.stalled), None) or next(iter(found), None)
    stalled = worst if worst and worst.stalled else None
    moving = worst if worst and not worst.stalled and not paused else None
    fresh = [
        _condition("Ready", worst, "Ready", "Every component is ready."),
        _abnormal("Reconciling", moving, PAUSED if paused else stalled),
        _abnormal("Stalled", stalled, None),
        *(_condition(kind, verdict, "Ready", "") for kind, verdict in complaints.items()),
    ]
    return merged(old, fresh, generation, now)


def invalid(old: Sequence[Condition], error: InvalidSpec, generation: int, now: datetime) -> list[Condition]:
    """Conditions of a transcriber whose spec makes no sense: its components keep what was last seen of them."""
    verdict = Verdict(error.reason, str(error), stalled=True)
    fresh = [
        _condition("Ready", verdict, "Ready", ""),
        _abnormal("Reconciling", None, verdict),
        _abnormal("Stalled", verdict, None),
    ]
    unseen = [
        Condition(type=kind, status="Unknown", reason=error.reason, message="")
        for kind in (*CONDITIONS, CERTIFICATES)
        if not any(condition.type == kind for condition in old)
    ]
    return merged(old, [*fresh, *unseen], generation, now)


def merged(old: Sequence[Condition], fresh: Sequence[Condition], generation: int, now: datetime) -> list[Condition]:
    """The old conditions with the fresh ones in their place, in one order."""
    result = list(old)
    for condition in fresh:
        result = mark(result, condition.model_copy(update={"observed_generation": generation}), now)
    return sorted(result, key=lambda c: (ORDER.index(c.type) if c.type in ORDER else len(ORDER), c.type))


def _condition(kind: str, complaint: Verdict | None, reason: str, message: str) -> Condition:
    if complaint is None:
        return Condition(type=kind, status="True", reason=reason, message=message)
    return Condition(type=kind, status="False", reason=complaint.reason, message=complaint.message)


def _abnormal(kind: str, cause: Verdict | None, why_not: Verdict | None) -> Condition:
    status: Status = "True" if cause else "False"
    said = cause or why_not or Verdict("AsDesired", "")
    return Condition(type=kind, status=status, reason=said.reason, message=said.message)
