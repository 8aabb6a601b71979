"""From a stream of samples to the windows that are transcribed, each with its samples."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.audio.vad import SpeechDetector
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.cutting import RULES, CutRules, Cutting, Span
from whisper_transcriber.domain.window import FRAME, Frame, Heard, Stretch, Window

Detector: TypeAlias = Callable[[Samples], NDArray[np.float32]]
"""Consecutive samples, a multiple of `FRAME` of them → the probability of speech in each frame."""

_GROUP: Final = 32 * FRAME  # samples that the detector is shown at once, about a second: always the same ones of a file


def windows(
    blocks: Iterable[Samples],
    detector: Detector | None = None,
    rules: CutRules = RULES,
    listened: Callable[[float], None] = lambda seconds: None,
) -> Iterator[tuple[Window, Samples]]:
    """Cut a stream of blocks into windows of at most 30 s that hold all the speech in it.

    Windows are in order and cut in silence, without overlap; in speech without any, where it is quietest, and there two
    windows share a second and a half. Long silence is in none of them, so a silent file has no windows at all. The same
    samples give the same windows, however they are divided into blocks. Holds little more than one window of samples at
    a time.

    Blocks with channels side by side, shape [samples, channels], are cut channel by channel, each as a stream of its
    own; the windows of all channels come in the order in which they end, and their numbers say the channel too: so
    they are the same ones whichever comes first. `listened` is told of the seconds that the detector took.
    """
    cutters: list[_Cutter] = []
    for block in blocks:
        columns = block.T if block.ndim == 2 else [block]
        cutters = cutters or [
            _Cutter(
                _timed(detector or SpeechDetector(), listened), rules, number if block.ndim == 2 else None, len(columns)
            )
            for number in range(len(columns))
        ]
        for cutter, samples in zip(cutters, columns, strict=True):
            yield from cutter.add(samples)
    for cutter in cutters:
        yield from cutter.finish()


def _timed(detector: Detector, listened: Callable[[float], None]) -> Detector:
    def timed(samples: Samples) -> NDArray[np.float32]:
        started = time.monotonic()
        found = detector(samples)
        listened(time.monotonic() - started)
        return found

    return timed


class _Cutter:
    """One stream on its way into windows: `channel` of so many `channels`, or None and 1."""

    def __init__(self, detector: Detector, rules: CutRules, channel: int | None, channels: int) -> None:
        self._detector = detector
        self._cutting = Cutting(rules)
        self._tape = _Tape(rules.longest * FRAME + 2 * _GROUP)
        self._waiting: list[Samples] = []  # for a whole group
        self._count = 0
        self._channel = channel
        self._indices = count(channel or 0, channels)

    def add(self, block: Samples) -> Iterator[tuple[Window, Samples]]:
        """The windows that end with these samples."""
        self._waiting.append(block)
        self._count += len(block)
        if self._count >= _GROUP:
            joined = np.concatenate(self._waiting)
            whole = len(joined) - len(joined) % _GROUP
            self._waiting, self._count = [joined[whole:]], len(joined) - whole
            for start in range(0, whole, _GROUP):
                yield from self._hear(joined[start : start + _GROUP])

    def finish(self) -> Iterator[tuple[Window, Samples]]:
        """The windows that are left at the end of the stream."""
        if self._count:
            yield from self._hear(np.concatenate(self._waiting))
        for span in self._cutting.finish():
            yield self._window(span)

    def _hear(self, group: Samples) -> Iterator[tuple[Window, Samples]]:
        self._tape.add(group)
        whole = np.pad(group, (0, -len(group) % FRAME))
        energy = np.mean(np.square(whole.reshape(-1, FRAME)), axis=1)
        for speech, loudness in zip(self._detector(whole).tolist(), energy.tolist(), strict=True):
            for span in self._cutting.take(Frame(speech, loudness)):
                yield self._window(span)

    def _window(self, span: Span) -> tuple[Window, Samples]:
        """A span with its samples; the last frame of a file may be only begun."""
        end = min(span.end * FRAME, self._tape.end)

        def seconds(frame: int) -> float:
            return min(frame * FRAME, end) / SAMPLE_RATE

        heard = Heard(tuple(Stretch(seconds(run.start), seconds(run.end)) for run in span.speech), span.certainty)
        times = seconds(span.start), seconds(span.end)
        window = Window(next(self._indices), *times, span.laps, heard, self._channel)
        return window, self._tape.take(span.start * FRAME, end)


class _Tape:
    """The last `keep` samples of a stream, by their position in it."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._groups: deque[Samples] = deque()
        self._start = 0
        self.end = 0

    def add(self, group: Samples) -> None:
        self._groups.append(group)
        self.end += len(group)
        while self.end - self._start - len(self._groups[0]) >= self._keep:
            self._start += len(self._groups.popleft())

    def take(self, start: int, end: int) -> Samples:
        """A copy of samples [start, end)."""
        assert self._start <= start <= end <= self.end, "the cutter looks back no further than one window"
        joined = np.concatenate(self._groups)
        return joined[start - self._start : end - self._start].copy()
