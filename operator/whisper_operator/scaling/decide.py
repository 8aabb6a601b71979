"""How many workers there should be: pure, the clock passed in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from whisper_operator.api.v1alpha1.workers import Autoscaling
from whisper_operator.plan.autoscaling import Scale
from whisper_operator.transcripts import Demand


class Wish(NamedTuple):
    """How many workers were wanted at a time."""

    at: datetime
    replicas: int


def decide(
    rules: Autoscaling, current: int, demand: Demand, trail: Sequence[Wish], now: datetime
) -> tuple[Scale, list[Wish]]:
    """The scale now, and the trail to remember: the wishes of the last `scaleInAfterSeconds`.

    More workers come at once; fewer only once no more were wanted for that long. An empty trail is one that nobody
    remembers: it counts as a wish for what there is, so that a restarted operator takes none away at once.
    """
    kept = _remembered(rules, trail or [Wish(now, current)], Wish(now, demand.workers))
    wanted = max(demand.workers, min(current, max(wish.replicas for wish in kept)))
    replicas = rules.clamp(wanted)
    said = f"{_described(demand)}: {_counted(demand.workers)} can finish that in {rules.target_wait_seconds} s"
    if demand.workers > rules.max:
        return Scale(replicas, "AtMaximum", f"{said}; spec.workers.autoscaling.max allows {rules.max}."), kept
    if demand.workers < rules.min and replicas == rules.min:
        return Scale(replicas, "AtMinimum", f"{said}; spec.workers.autoscaling.min keeps {rules.min}."), kept
    if demand.workers < replicas:
        patience = f"{_counted(replicas)} stay until that was enough for {rules.scale_in_after_seconds} s"
        return Scale(replicas, "Stabilising", f"{said}; {patience}."), kept
    return Scale(replicas, "AsNeeded", f"{said}."), kept


def blind(rules: Autoscaling, current: int, trail: Sequence[Wish], why: str, now: datetime) -> tuple[Scale, list[Wish]]:
    """The scale while the demand cannot be read: never fewer, and for as long again after it can be read."""
    kept = _remembered(rules, trail, Wish(now, current))
    message = f"The queue cannot be read, so no worker is taken away: {why}"
    return Scale(rules.clamp(current), "MetricUnavailable", message), kept


def settled(before: Scale | None, after: Scale, now: datetime) -> Scale:
    """What is worth telling: the scale as it was told before, unless its number or its reason is another."""
    if before is None:
        return Scale(after.replicas, after.reason, after.message)
    if (before.replicas, before.reason) == (after.replicas, after.reason):
        return before
    since = before.since if before.replicas == after.replicas else now
    return Scale(after.replicas, after.reason, after.message, since)


def _remembered(rules: Autoscaling, trail: Sequence[Wish], newest: Wish) -> list[Wish]:
    horizon = newest.at - timedelta(seconds=rules.scale_in_after_seconds)
    return [*(wish for wish in trail if wish.at > horizon), newest]


def _described(demand: Demand) -> str:
    factor = "" if demand.real_time_factor is None else f" at {demand.real_time_factor:.3g} s of work each"
    parts = [
        f"{demand.backlog_seconds:.0f} s of audio wait and {demand.in_flight_seconds:.0f} s are being done{factor}"
    ]
    if demand.unopened:
        parts.append(f"{demand.unopened} more of unknown length")
    return ", ".join(parts)


def _counted(workers: int) -> str:
    return f"{workers} worker" if workers == 1 else f"{workers} workers"
