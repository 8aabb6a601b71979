"""The scaler's decision: how many workers there should be, and which pods may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from whisper_operator.api.v1alpha1.workers import Autoscaling
from whisper_operator.plan.autoscaling import Scale
from whisper_operator.scaling.costs import COST, costs
from whisper_operator.scaling.decide import Wish, blind, decide, settled
from whisper_operator.transcripts import Demand

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
bounds = st.tuples(st.integers(0, 9), st.integers(1, 30), st.integers(0, 600)).map(
    lambda found: Autoscaling(min=min(found[0], found[1]), max=found[1], scale_in_after_seconds=found[2])
)


def wants(workers: int, **of: Any) -> Demand:
    return Demand(workers=workers, queued=int(workers > 0), **of)


def rules(**of: Any) -> Autoscaling:
    return Autoscaling(**{"min": 0, "max": 10, "scale_in_after_seconds": 60, **of})


@given(rules=bounds, current=st.integers(0, 40), wanted=st.integers(0, 40))
def test_within_the_bounds_and_never_fewer_than_wanted(rules: Autoscaling, current: int, wanted: int) -> None:
    scale, _ = decide(rules, current, wants(wanted), [], NOON)
    assert rules.min <= scale.replicas <= rules.max
    assert scale.replicas >= min(wanted, rules.max)


@given(rules=bounds, current=st.integers(0, 40), history=st.lists(st.none() | st.integers(0, 40), max_size=60))
def test_never_fewer_than_was_wanted_within_the_window(
    rules: Autoscaling, current: int, history: list[int | None]
) -> None:
    """Every 5 s a reading or none; blind moments count as a wish for what there is."""
    trail: list[Wish] = []
    known: list[Wish] = [Wish(NOON, current)]
    replicas = current
    for step, wanted in enumerate(history):
        now = NOON + timedelta(seconds=5 * step)
        if wanted is None:
            scale, trail = blind(rules, replicas, trail, "away", now)
            assert scale.replicas == rules.clamp(replicas), "a metric that cannot be read scales nothing"
            known.append(Wish(now, replicas))
        else:
            scale, trail = decide(rules, replicas, wants(wanted), trail, now)
            known.append(Wish(now, wanted))
            within = [wish.replicas for wish in known if (now - wish.at).total_seconds() < rules.scale_in_after_seconds]
            assert scale.replicas >= rules.clamp(min(replicas, max([wanted, *within])))
        replicas = scale.replicas
        assert len(trail) <= 2 + rules.scale_in_after_seconds / 5


def test_out_at_once_and_in_once_it_was_enough_for_long(noon: datetime) -> None:
    scale, trail = decide(rules(), 0, wants(3), [], noon)
    assert (scale.replicas, scale.reason) == (3, "AsNeeded")
    scale, trail = decide(rules(), 3, wants(0), trail, noon + timedelta(seconds=30))
    assert (scale.replicas, scale.reason) == (3, "Stabilising")
    scale, trail = decide(rules(), 3, wants(1), trail, noon + timedelta(seconds=61))
    assert scale.replicas == 1, "what was wanted meanwhile is kept"
    scale, trail = decide(rules(), 1, wants(0), trail, noon + timedelta(seconds=125))
    assert (scale.replicas, scale.reason) == (0, "AsNeeded")


def test_a_restarted_operator_waits_as_long_as_any(noon: datetime) -> None:
    scale, trail = decide(rules(), 5, wants(0), [], noon)
    assert scale.replicas == 5
    scale, _ = decide(rules(), 5, wants(0), trail, noon + timedelta(seconds=61))
    assert scale.replicas == 0


def test_the_reason_says_what_limits(noon: datetime) -> None:
    demand = Demand(workers=30, queued=9, backlog_seconds=9000.0, real_time_factor=0.2)
    scale, _ = decide(rules(), 0, demand, [], noon)
    assert (scale.replicas, scale.reason) == (10, "AtMaximum")
    assert scale.message == (
        "9000 s of audio wait and 0 s are being done at 0.2 s of work each: 30 workers can finish that in 60 s; "
        "spec.workers.autoscaling.max allows 10."
    )
    scale, _ = decide(rules(min=2), 2, wants(0), [], noon)
    assert (scale.replicas, scale.reason) == (2, "AtMinimum")


def test_what_is_told_changes_only_with_its_number_or_reason(noon: datetime) -> None:
    first = settled(None, Scale(1, "AsNeeded", "a"), noon)
    assert first.since is None
    assert settled(first, Scale(1, "AsNeeded", "b"), noon) is first
    more = settled(first, Scale(2, "AsNeeded", "c"), noon)
    assert (more.message, more.since) == ("c", noon)
    held = settled(more, Scale(2, "Stabilising", "d"), noon + timedelta(seconds=9))
    assert (held.reason, held.since) == ("Stabilising", noon)


def pod(name: str, cost: str | None = None, **meta: Any) -> dict[str, Any]:
    annotations = {} if cost is None else {"annotations": {COST: cost}}
    return {"metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", **annotations, **meta}}


def test_idle_pods_are_the_cheapest() -> None:
    pods = [pod("a"), pod("b", "2"), pod("c", "1"), pod("gone", deletionTimestamp="now")]
    rough = costs(pods, {"a": 3, "b": 1, "gone": 1}, exact=False)
    assert [(c["metadata"]["name"], c["metadata"]["annotations"][COST]) for c in rough] == [("a", "3"), ("c", "0")]
    exact = costs(pods, {"a": 3, "b": 1}, exact=True)
    assert [c["metadata"]["annotations"][COST] for c in exact] == ["3", "1", "0"]
    assert exact[0]["metadata"]["uid"] == "uid-a", "a pod that is gone is not made anew"
