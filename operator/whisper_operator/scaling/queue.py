"""How many jobs wait, for the status: pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from whisper_operator.plan.autoscaling import Queue
from whisper_operator.transcripts import Demand

# So many questions in a row must have failed before it is told: a pod of the API may just be restarting.
PATIENCE = 3
# A queue at work changes with every question, and each change is a write.
PAUSE = timedelta(seconds=20)


class Count(NamedTuple):
    """What was told, and when."""

    queue: Queue
    at: datetime


def counted(before: Count | None, demand: Demand | None, failures: int, now: datetime) -> Count | None:
    """What is told now. None: nobody knows yet. That a queue has formed or is gone is told at once."""
    if demand is None:
        return Count(Queue(None), now) if failures >= PATIENCE else before
    fresh = Count(Queue(demand.queued), now)
    if before is None or before.queue.waiting is None:
        return fresh
    turned = bool(before.queue.waiting) != bool(demand.queued)
    return fresh if turned or now - before.at >= PAUSE else before
