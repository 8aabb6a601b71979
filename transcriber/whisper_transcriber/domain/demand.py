"""How many workers the queue takes: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from whisper_transcriber.domain.job import Queue

UNKNOWN_SECONDS: Final = 30.0
"""What a job weighs while nobody knows how long its audio is."""

UNKNOWN_FACTOR: Final = 0.5
"""The real-time factor that is assumed until a worker has finished something."""

_SOON: Final = 5
_LATE: Final = 600


@dataclass(frozen=True)
class Team:
    """The workers: `real_time_factor`, seconds that one is busy for each second of audio (None: nobody knows yet), and
    how many claims each of those that are `busy` holds, by its id."""

    real_time_factor: float | None = None
    busy: Mapping[str, int] = field(default_factory=dict)


def audio_waiting(queue: Queue) -> float:
    """Seconds of audio that are still to do, those of unknown length guessed."""
    return queue.backlog_seconds + queue.in_flight_seconds + queue.unopened * UNKNOWN_SECONDS


def relief(queue: Queue, team: Team, limit: float) -> int:
    """Seconds after which no more than `limit` seconds of audio should be waiting, at the workers' pace."""
    too_much = max(0.0, audio_waiting(queue) - limit)
    return int(min(max(_SOON, too_much * _factor(team) / max(1, len(team.busy))), _LATE))


def _factor(team: Team) -> float:
    return UNKNOWN_FACTOR if team.real_time_factor is None else team.real_time_factor


def workers(queue: Queue, team: Team, target: float, others: int = 0) -> int:
    """How many workers finish everything that is there within `target` seconds.

    Never more than have something to do: those that are busy, and one for each thing that can be claimed. Never none
    while a job is queued or runs, or while there is something else to do: `others`, the webhooks that are due
    and the batches that have not ended.
    """
    if not queue.queued + queue.running:
        return min(others, 1)
    useful = len(team.busy) + queue.claimable
    return max(1, min(ceil(audio_waiting(queue) * _factor(team) / target), useful))
