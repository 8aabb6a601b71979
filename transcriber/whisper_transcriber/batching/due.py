"""Which waiting windows make the next batch: pure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

ALIKE: Final = 5.0
"""Windows whose lengths differ by less than so many seconds are alike: a batch takes as long as its longest row."""

_POOL: Final = 2  # a batch is made of the first rows of so many batches, those most alike


@dataclass(frozen=True)
class Ticket:
    """Whose window it is: the job and its tenant, and how soon it is wanted (a higher `priority` goes first).

    `arrived` is when the job came to this worker (seconds of a monotonic clock), `remaining` how many seconds of audio
    it has left, this window included; infinite where nobody knows.
    """

    job: Hashable
    tenant: str = "default"
    priority: int = 0
    arrived: float = 0.0
    remaining: float = float("inf")


@dataclass(frozen=True, eq=False)
class Waiting:
    """A window in the queue: what it may share a batch with, its length, and since when its job has had nothing."""

    ticket: Ticket
    key: Hashable
    seconds: float
    since: float  # when it came or a window of its job was last taken, whichever is later (monotonic seconds)


@dataclass(frozen=True)
class Policy:
    """How batches are chosen: `size` rows at most; `patience` s that a batch which is not full may wait for more.

    Work that has had nothing for `ageing` s counts as one priority higher, and so on: whatever comes, nothing starves.
    `fits` says how many rows of a key are done in time. Rows that are not `alike` the first in length are left out
    where each row costs its own time, so that a short one does not last as long as they do.
    """

    size: int
    patience: float = 0.0
    ageing: float = 30.0
    fits: Callable[[Hashable], int] = lambda key: sys.maxsize
    alike: bool = False


Served: TypeAlias = Mapping[str, float]
"""Seconds of audio that each tenant has had."""

W = TypeVar("W", bound=Waiting)


def due(waiting: Sequence[W], served: Served, now: float, policy: Policy, *, more: bool) -> Sequence[W]:
    """The next batch for a lane that is free, or nothing where it is better to wait; `more` says if more could come.

    The first row is the one whose turn it is: highest priority, then the tenant that has had least, then the job with
    least left, then the job that came first. The others may share a call with it, and are alike in length.
    """
    if not waiting:
        return ()
    pool = turns(waiting, served, now, policy, _POOL * policy.size)
    first = pool[0]
    size = min(policy.size, policy.fits(first.key))
    if policy.alike:
        pool = [each for each in pool if not _apart(each, first)]
    batch = sorted(pool, key=lambda each: (-_level(each, now, policy), _apart(each, first)))[:size]
    full = len(batch) == size or not more
    return batch if full or now - min(each.since for each in batch) >= policy.patience else ()


def turns(waiting: Sequence[W], served: Served, now: float, policy: Policy, most: int) -> list[W]:
    """The windows in the order of their turns, at most so many: each is charged to its tenant before the next turn.

    All may share a call with the first. Windows of one job keep their order.
    """
    left, chosen, spent = list(waiting), list[W](), dict(served)
    while left and len(chosen) < most:
        heads: dict[Hashable, W] = {}
        for each in left:
            heads.setdefault(each.ticket.job, each)
        best = min(heads.values(), key=lambda each: _turn(each, spent, now, policy))
        chosen.append(best)
        spent[best.ticket.tenant] = spent.get(best.ticket.tenant, 0.0) + best.seconds
        left = [each for each in left if each is not best and each.key == best.key]
    return chosen


def joined(served: Served, tenant: str, active: frozenset[str]) -> dict[str, float]:
    """The account when a window of `tenant` comes while `active` tenants have windows here.

    Who was away begins with what the least served has had, or with its own debt if that is more: time away is no
    credit. Tenants that are away and owe nothing are forgotten, so that the account does not grow for ever.
    """
    least = min((served.get(name, 0.0) for name in active), default=None)
    if least is None:
        return {tenant: 0.0}
    kept = {name: seconds for name, seconds in served.items() if name in active or seconds > least}
    return kept | {tenant: max(kept.get(tenant, 0.0), least)}


def taken(waiting: Sequence[W], batch: Sequence[W], now: float) -> list[W]:
    """The queue when a batch has been taken: jobs that had a window in it have had something now."""
    gone, jobs = {id(each) for each in batch}, {each.ticket.job for each in batch}
    left = [each for each in waiting if id(each) not in gone]
    return [replace(each, since=now) if each.ticket.job in jobs else each for each in left]


def charged(served: Served, batch: Sequence[Waiting]) -> dict[str, float]:
    """The account when a batch has been taken."""
    account = dict(served)
    for each in batch:
        account[each.ticket.tenant] = account.get(each.ticket.tenant, 0.0) + each.seconds
    return account


def _turn(each: Waiting, spent: Served, now: float, policy: Policy) -> tuple[float, ...]:
    ticket = each.ticket
    return -_level(each, now, policy), spent.get(ticket.tenant, 0.0), ticket.remaining, ticket.arrived


def _level(each: Waiting, now: float, policy: Policy) -> int:
    return each.ticket.priority + int((now - each.since) / policy.ageing)


def _apart(each: Waiting, first: Waiting) -> int:
    return int(abs(each.seconds - first.seconds) / ALIKE)
