"""Which windows make the next batch: whatever waits, and however long it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.batching.due import ALIKE, Policy, Ticket, Waiting, charged, due, joined, taken
from whisper_transcriber.batching.pace import Pace, batch_size

FOREVER = 1e9


def window(
    job: str,
    seconds: float = 30.0,
    *,
    tenant: str = "a",
    priority: int = 0,
    remaining: float = 30.0,
    key: str = "k",
    since: float = 0.0,
) -> Waiting:
    return Waiting(Ticket(job, tenant, priority, 0.0, remaining), key, seconds, since)


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    """Windows of a few jobs; all windows of one job have its tenant, priority and key."""
    jobs = [
        window(
            f"job {n}",
            tenant=draw(st.sampled_from("abc")),
            priority=draw(st.integers(-2, 2)),
            remaining=draw(st.floats(1, 7200)),
            key=draw(st.sampled_from("kl")),
            since=draw(st.floats(0, 100)),
        )
        for n in range(draw(st.integers(1, 5)))
    ]
    chosen = draw(st.lists(st.sampled_from(jobs), min_size=1, max_size=20))
    return [replace(each, seconds=draw(st.floats(0.5, 30))) for each in chosen]


policies = st.builds(Policy, size=st.integers(1, 8), ageing=st.floats(1, 60))
accounts = st.dictionaries(st.sampled_from("abc"), st.floats(0, 1000))


@settings(deadline=None)
@given(queues(), accounts, policies)
def test_a_batch_is_of_one_key_and_no_larger_than_allowed(
    waiting: list[Waiting], served: dict[str, float], policy: Policy
) -> None:
    batch = due(waiting, served, 100.0, policy, more=False)
    assert 1 <= len(batch) <= policy.size
    assert len({each.key for each in batch}) == 1
    assert len({id(each) for each in batch}) == len(batch)
    assert {id(each) for each in batch} <= {id(each) for each in waiting}


@settings(deadline=None)
@given(queues(), accounts, policies)
def test_nothing_is_left_behind_for_what_has_a_lower_priority(
    waiting: list[Waiting], served: dict[str, float], policy: Policy
) -> None:
    policy = replace(policy, ageing=FOREVER)
    batch = due(waiting, served, 100.0, policy, more=False)
    left = [each for each in waiting if each not in batch]
    assert batch[0].ticket.priority == max(each.ticket.priority for each in waiting)
    lowest = min(each.ticket.priority for each in batch)
    assert not [each for each in left if each.key == batch[0].key and each.ticket.priority > lowest]


@settings(deadline=None)
@given(queues(), accounts, policies)
def test_the_windows_of_a_job_keep_their_order(
    waiting: list[Waiting], served: dict[str, float], policy: Policy
) -> None:
    first = due(waiting, served, 100.0, replace(policy, size=1), more=False)[0]
    assert first is next(each for each in waiting if each.ticket.job == first.ticket.job)


@settings(deadline=None)
@given(queues(), accounts, policies)
def test_an_idle_device_never_waits_if_nothing_else_could_come(
    waiting: list[Waiting], served: dict[str, float], policy: Policy
) -> None:
    assert due(waiting, served, 100.0, replace(policy, patience=FOREVER), more=False)


def test_a_batch_that_is_not_full_waits_for_more_until_it_is_out_of_patience() -> None:
    waiting, policy = [window("a"), window("b")], Policy(3, patience=5.0)
    assert due([], {}, 9.0, policy, more=True) == ()
    assert due(waiting, {}, 1.0, policy, more=True) == ()
    assert due(waiting, {}, 5.0, policy, more=True) == waiting
    assert len(due([*waiting, window("c")], {}, 1.0, policy, more=True)) == 3


def test_what_is_short_goes_first_and_then_what_came_first() -> None:
    long, short = window("long", remaining=7200), window("short", 3.0, remaining=3)
    late = replace(short, ticket=replace(short.ticket, job="late", arrived=1.0))
    assert due([long, late, short], {}, 1.0, Policy(1), more=False) == [short]
    assert due([long, late], {}, 1.0, Policy(1), more=False) == [late]


def test_windows_alike_in_length_share_a_batch() -> None:
    lengths = [4.0, 29.0, 5.0, 28.0]
    waiting = [window(str(length), length) for length in lengths]
    batch = due(waiting, {}, 1.0, Policy(2), more=False)
    assert [each.seconds for each in batch] == [4.0, 5.0]
    assert abs(batch[0].seconds - batch[1].seconds) < ALIKE


class Device:
    """Computes one batch after another; `policy.size` rows take one second."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0.0
        self.queue: list[Waiting] = []
        self.served: dict[str, float] = {}

    def add(self, each: Waiting) -> None:
        active = frozenset(other.ticket.tenant for other in self.queue)
        self.served = joined(self.served, each.ticket.tenant, active)
        self.queue.append(replace(each, since=self.now))

    def step(self) -> list[Waiting]:
        """What the next batch is, as the pump takes it."""
        batch = list(due(self.queue, self.served, self.now, self.policy, more=False))
        self.queue = taken(self.queue, batch, self.now)
        self.served = charged(self.served, batch)
        self.now += 1.0
        return batch


@settings(deadline=None, max_examples=30)
@given(size=st.integers(1, 4), above=st.integers(0, 3), ageing=st.integers(2, 20))
def test_nothing_starves_under_a_stream_of_short_and_urgent_jobs(size: int, above: int, ageing: int) -> None:
    device = Device(Policy(size, ageing=ageing))
    device.add(window("long", remaining=7200))
    for n in range((above + 1) * ageing + 2):
        for k in range(size):
            device.add(window(f"short {n}/{k}", 3.0, priority=above, remaining=3))
        if any(each.ticket.job == "long" for each in device.step()):
            return
    raise AssertionError("the long job had no turn")


def test_windows_that_wait_for_others_of_their_own_job_do_not_age() -> None:
    device = Device(Policy(1, ageing=10))
    for _ in range(30):
        device.add(window("long", remaining=7200))
    for _ in range(25):
        device.step()
    device.add(window("short", 3.0, remaining=3))
    assert [each.ticket.job for each in device.step()] == ["short"]


@settings(deadline=None, max_examples=30)
@given(size=st.integers(1, 8), short=st.floats(1, 10), seconds=st.floats(10, 30))
def test_tenants_share_the_device_by_audio_however_many_windows_they_send(
    size: int, short: float, seconds: float
) -> None:
    device = Device(Policy(size, ageing=FOREVER))
    had = {"many": 0.0, "one": 0.0}
    for n in range(60):
        for tenant, each in (("many", window(str(n), short, remaining=short)), ("one", window("long", seconds))):
            ticket = replace(each.ticket, tenant=tenant)
            waiting = sum(other.ticket.tenant == tenant for other in device.queue)
            for _ in range(2 * size - waiting):  # both always have enough for a batch
                device.add(replace(each, ticket=ticket))
        for each in device.step():
            had[each.ticket.tenant] += each.seconds
    assert abs(had["many"] - had["one"]) <= 2 * size * seconds


def test_time_away_is_no_credit_and_debts_are_not_forgiven() -> None:
    served = joined({}, "a", frozenset())
    assert served == {"a": 0.0}
    served = joined({"a": 500.0}, "b", frozenset("a"))
    assert served == {"a": 500.0, "b": 500.0}
    assert joined({"a": 500.0, "b": 900.0}, "b", frozenset("a"))["b"] == 900.0
    assert joined({"a": 500.0, "gone": 100.0}, "b", frozenset("a")) == {"a": 500.0, "b": 500.0}


@pytest.mark.parametrize(("seconds", "size"), [(None, 1), (0.1, 8), (0.5, 4), (1.9, 1), (60.0, 1)])
def test_a_batch_is_as_large_as_its_time_allows(seconds: float | None, size: int) -> None:
    assert batch_size(8, 2.0, seconds) == size


@given(st.lists(st.tuples(st.sampled_from("kl"), st.integers(1, 16), st.floats(0.001, 100)), max_size=50))
def test_the_pace_keeps_batches_within_their_time(batches: list[tuple[str, int, float]]) -> None:
    pace, each = Pace(16, 2.0), dict[str, list[float]]()
    assert pace.size("k") == 1
    for key, rows, seconds in batches:
        pace.took(key, rows, seconds)
        each.setdefault(key, []).append(seconds / rows)
        for known, seen in each.items():
            assert 1 <= pace.size(known) <= 16
            assert pace.size(known) == 1 or pace.size(known) * min(seen) <= 2.0 + 1e-9


def test_windows_of_another_kind_have_a_pace_of_their_own() -> None:
    pace = Pace(8, 2.0)
    for _ in range(20):
        pace.took("slow", 2, 2.0)
        pace.took("fast", 8, 0.8)
    assert (pace.size("slow"), pace.size("fast")) == (2, 8)
    assert pace.size("new") == 2  # as the slowest that is known


def test_a_pace_that_changes_from_batch_to_batch_leaves_room_for_the_slow_ones() -> None:
    steady, unsteady = Pace(8, 2.0), Pace(8, 2.0)
    for number in range(40):
        steady.took("k", 4, 1.0)
        unsteady.took("k", 4, 0.2 if number % 2 else 1.8)
    assert steady.size("k") == 8
    assert unsteady.size("k") <= 4


def test_memory_that_ran_out_halves_the_batch_and_it_grows_back_slowly() -> None:
    pace = Pace(8, 2.0)
    pace.took("k", 1, 0.001)
    assert pace.size("k") == 8
    pace.too_large(8)
    assert pace.size("k") == 4
    for _ in range(63):
        pace.took("k", 4, 0.004)
    assert pace.size("k") == 4
    for _ in range(64 * 8):
        pace.took("k", pace.size("k"), 0.001 * pace.size("k"))
    assert pace.size("k") == 8
    for rows in (8, 4, 2, 1):
        pace.too_large(rows)
    assert pace.size("k") == 1


def test_a_batch_has_no_more_rows_than_its_key_allows() -> None:
    waiting = [window(f"job {n}", key=key) for key in "kl" for n in range(4)]
    policy = Policy(8, fits=lambda key: {"k": 3, "l": 1}[str(key)])
    assert len(due(waiting, {}, 1.0, policy, more=False)) == 3
    assert len(due(waiting[4:], {}, 1.0, policy, more=False)) == 1


def test_a_short_row_takes_no_long_ones_along_where_each_costs_its_own_time() -> None:
    short = window("short", seconds=3.0, remaining=3.0)
    other = window("other", seconds=4.0, remaining=4.0)
    long = [window("long", seconds=28.0, remaining=7200.0) for _ in range(6)]
    together = due([*long, short, other], {}, 1.0, Policy(4), more=False)
    alike = due([*long, short, other], {}, 1.0, Policy(4, alike=True), more=False)
    assert len(together) == 4
    assert alike == [short, other]
