"""A stretch of a file that is transcribed by itself, and what is known of it before anybody has understood a word."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from whisper_transcriber.domain.audio import SAMPLE_RATE

FRAME: Final = 512
"""Samples in one frame: what the voice detector looks at once, 32 ms."""


class Stretch(NamedTuple):
    """From `start` to `end`, in seconds of the file."""

    start: float
    end: float


@dataclass(frozen=True)
class Heard:
    """What the voice detector heard in a window: where speech was, and how sure it was of it on the average (0..1)."""

    stretches: tuple[Stretch, ...]
    certainty: float

    @property
    def seconds(self) -> float:
        """How much speech there was."""
        return sum(each.end - each.start for each in self.stretches)


@dataclass(frozen=True)
class Window:
    """One stretch of a file that is transcribed by itself; `start` and `end` in seconds of the file.

    `channel` is the one that it is of, from 0, where channels are kept apart; None where they are mixed.
    A window that had to be cut in the middle of speech shares some of its audio with its neighbour, and `laps` is true
    for both. What was `heard` is None where nobody listened; it matters while the window is transcribed, and is not
    kept. Windows that differ only in these two are equal.
    """

    index: int
    start: float
    end: float
    laps: bool = field(default=False, compare=False)
    heard: Heard | None = field(default=None, compare=False)
    channel: int | None = None

    def moved(self, seconds: float) -> Window:
        """The same window of a file that begins so many seconds earlier."""
        heard = None
        if self.heard is not None:
            stretches = (Stretch(each.start + seconds, each.end + seconds) for each in self.heard.stretches)
            heard = Heard(tuple(stretches), self.heard.certainty)
        return replace(self, start=self.start + seconds, end=self.end + seconds, heard=heard)


class Frame(NamedTuple):
    """What is known of 32 ms of audio: how likely it is speech (0..1), and its mean square."""

    speech: float
    energy: float


def frames_in(seconds: float) -> int:
    """How many whole frames fit into so many seconds."""
    return int(seconds * SAMPLE_RATE / FRAME + 1e-9)
