"""Where to cut a long file into parts: stretches of a few minutes that any worker may claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.window import frames_in


@dataclass(frozen=True)
class Part:
    """One part of a file, numbered from 0; `start` and `end` in seconds of the file, to the sample.

    Where parts are read from a store, `done` says whether all windows of this one were.
    """

    number: int
    start: float
    end: float
    done: bool = field(default=False, compare=False)

    @property
    def seconds(self) -> float:
        """How much audio it holds."""
        return self.end - self.start


@dataclass(frozen=True)
class PartRules:
    """How parts are cut; all lengths in frames.

    A part is about `length` long: it ends in the quietest `pause` within `slack` of that. Audio that ends before
    `longest` is one part, so that none is needlessly short.
    """

    length: int
    slack: int
    pause: int
    longest: int

    @property
    def search(self) -> range:
        """The frames of a part in which it may end."""
        return range(self.length - self.slack, self.length + self.slack)

    @classmethod
    def of(cls, seconds: float) -> PartRules:
        """Rules for parts of about so many seconds."""
        length = max(8, frames_in(seconds))
        slack = min(frames_in(15.0), length // 4)
        return cls(length, slack, pause=min(frames_in(0.5), slack), longest=length + length // 2)


def part_end(energy: Sequence[int], rules: PartRules) -> int:
    """Where a part ends, in frames from its start: the middle of the quietest pause.

    `energy` of the frames in `rules.search`. Of equally quiet pauses the one nearest to `rules.length` wins. Nothing
    else is looked at: so whoever goes on with a file after its last part cuts it as the first one would have.
    """
    sums = [0, *accumulate(energy)]
    middle = rules.pause // 2
    starts = range(len(energy) - rules.pause + 1)
    wanted = rules.length - rules.search.start - middle
    best = min(starts, key=lambda start: (sums[start + rules.pause] - sums[start], abs(start - wanted), start))
    return rules.search.start + best + middle


def samples_at(seconds: float) -> int:
    """The sample that so many seconds of a file stand for."""
    return round(seconds * SAMPLE_RATE)


def part_of(number: int, start: int, end: int) -> Part:
    """The part that holds samples [start, end)."""
    return Part(number, start / SAMPLE_RATE, end / SAMPLE_RATE)
