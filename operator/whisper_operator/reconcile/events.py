"""Events: when Ready or Stalled turns, and what was made, changed and deleted. Best effort, and never a flood."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import Condition, find
from whisper_operator.cluster.port import EVENT, Cluster, Manifest
from whisper_operator.errors import Rejected, Transient
from whisper_operator.logs import Log
from whisper_operator.metrics import EVENTS
from whisper_operator.plan.autoscaling import Scale

log = Log(__name__)
# Not ready yet, and nothing is wrong.
ON_THE_WAY = frozenset({"Progressing", "Migrating", "WaitingForMigration", "VolumePending", "Cancelled"})
NOTE_LIMIT = 1000
BURST, REFILL = 10, timedelta(minutes=1)


class Deed(NamedTuple):
    """Something done to a child. `what` is Created, Updated, Deleted or Replaced."""

    what: str
    kind: str
    name: str


@contextmanager
def logged(event: str, transcriber: str) -> Iterator[list[Deed]]:
    """A list for deeds, which becomes one line of the log when the block ends, however it does."""
    deeds: list[Deed] = []
    try:
        yield deeds
    finally:
        if deeds:
            log.info(event, transcriber=transcriber, done=[" ".join(deed) for deed in deeds])


class Budget:
    """How many Events may be told of one resource: BURST at once, then one each REFILL. Of each reason: what comes and
    goes all the time must not keep what is new from being told."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, datetime]] = {}

    def take(self, now: datetime, reason: str) -> bool:
        """Whether there is one for that reason left; it is taken."""
        spent, when = self._spent.get(reason, (0.0, now))
        spent = max(0.0, spent - (now - when) / REFILL)
        left = spent <= BURST - 1
        self._spent[reason] = (spent + left, now)
        return left


def noteworthy(old: Sequence[Condition], new: Sequence[Condition]) -> Condition | None:
    """The condition whose change is told, if any: Ready (Succeeded for a job), else Stalled.

    Ready has turned when its status has, or its reason from or to a fault; the steps of an ordinary start are no
    news. Everything begins not ready, which is none either unless it is a fault.
    """
    for kind in ("Ready", "Succeeded", "Stalled"):
        before, now = find(old, kind), find(new, kind)
        if now is None:
            continue
        if kind == "Stalled":
            was = before is not None and before.status == "True"
            return now if was != (now.status == "True") else None
        same = before is not None and (before.status, before.reason) == (now.status, now.reason)
        steps = before is None or before.status == now.status
        if not same and not (steps and now.status != "True" and _ordinary(before) and _ordinary(now)):
            return now
    return None


def _ordinary(condition: Condition | None) -> bool:
    return condition is None or condition.status == "True" or condition.reason in ON_THE_WAY


def told(body: Manifest, old: Sequence[Condition], new: Sequence[Condition], now: datetime, reporter: str) -> Manifest:
    """The Event about a turn of the conditions, or an empty one if there is nothing to tell."""
    condition = noteworthy(old, new)
    return event(body, condition, now, reporter, find(new, "Stalled")) if condition else {}


def event(
    body: Manifest, condition: Condition, now: datetime, reporter: str, stalled: Condition | None = None
) -> Manifest:
    """The Event about a condition's change: a Warning for faults only, not for what waiting alone brings about.

    `stalled` is the condition of that type: its sentence is a fault whatever the reason.
    """
    worse = (condition.status == "True") if condition.type == "Stalled" else (condition.status == "False")
    stuck = stalled is not None and stalled.status == "True" and stalled.message == condition.message
    faulty = worse and (stuck or condition.reason not in ON_THE_WAY)
    reason = condition.reason if worse else condition.type
    note = f"{condition.type} is {condition.status}: {condition.message or condition.reason}"
    return _event(body, "Reconcile", reason, note, now, reporter, "Warning" if faulty else "Normal")


def done(body: Manifest, deeds: Iterable[Deed], now: datetime, reporter: str) -> list[Manifest]:
    """An Event for each sort of deed: many children come into being at once."""
    by_sort: dict[str, list[str]] = {}
    for deed in deeds:
        by_sort.setdefault(deed.what, []).append(f"{deed.kind} {deed.name}")
    return [
        _event(body, "Apply", what, f"{what} {', '.join(children)}", now, reporter, "Normal")
        for what, children in by_sort.items()
    ]


def scaled(body: Manifest, before: int, scale: Scale, now: datetime, reporter: str) -> Manifest:
    """The Event about a decision of the scaler: more workers, fewer, or that it cannot see."""
    if scale.replicas == before:
        return _event(body, "Scale", scale.reason, scale.message, now, reporter, "Warning")
    reason = "ScaledOut" if scale.replicas > before else "ScaledIn"
    note = f"Workers: {before} to {scale.replicas}. {scale.message}"
    return _event(body, "Scale", reason, note, now, reporter, "Normal")


async def record(cluster: Cluster, events: Iterable[Manifest], budget: Budget, now: datetime) -> None:
    """Record Events as far as the budget goes. What is beyond it is lost, and counted."""
    for manifest in events:
        if not budget.take(now, manifest["reason"]):
            EVENTS.labels("dropped").inc()
            continue
        try:
            await cluster.create(manifest)
        except (Rejected, Transient) as error:
            log.warning("Event was not recorded", object=manifest["regarding"]["name"], error=str(error))


def _event(
    body: Manifest, action: str, reason: str, note: str, now: datetime, reporter: str, severity: str
) -> Manifest:
    meta = body["metadata"]
    regarding = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        **{k: meta[k] for k in ("name", "namespace", "uid")},
    }
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"{names.GROUP}/operator",
        "reportingInstance": reporter[:128],
        "action": action,
        "regarding": regarding,
        "reason": reason,
        "note": note[:NOTE_LIMIT],
        "type": severity,
    }
