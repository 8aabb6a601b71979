"""From a stream of samples to the windows that are transcribed, each with its samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.audio.vad import SpeechDetector
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.cutting import RULES, CutRules, Span, spans
from whisper_transcriber.domain.window import FRAME, Frame, Heard, Stretch, Window

Detector: TypeAlias = Callable[[Samples], NDArray[np.float32]]
"""Consecutive samples, a multiple of `FRAME` of them → the probability of speech in each frame."""

_GROUP: Final = 32 * FRAME  # samples that the detector is shown at once, about a second: always the same ones of a file


def windows(
    blocks: Iterable[Samples], detector: Detector | None = None, rules: CutRules = RULES
) -> Iterator[tuple[Window, Samples]]:
    """Cut a stream of blocks into windows of at most 30 s that hold all the speech in it.

    Windows are in order and cut in silence, without overlap; in speech without any, where it is quietest, and there two
    windows share a second and a half. Long silence is in none of them, so a silent file has no windows at all. The same
    samples give the same windows, however they are divided into blocks. Holds little more than one window of samples at
    a time.
    """
    tape = _Tape(rules.longest * FRAME + 2 * _GROUP)
    frames = _frames(blocks, detector or SpeechDetector(), tape)
    for index, span in enumerate(spans(frames, rules)):
        start, end = span.start * FRAME, min(span.end * FRAME, tape.end)
        yield _window(index, span, end), tape.take(start, end)


def _window(index: int, span: Span, end: int) -> Window:
    """A span as a window that ends with sample `end`: the last frame of a file may be only begun."""

    def seconds(frame: int) -> float:
        return min(frame * FRAME, end) / SAMPLE_RATE

    heard = Heard(tuple(Stretch(seconds(run.start), seconds(run.end)) for run in span.speech), span.certainty)
    return Window(index, seconds(span.start), seconds(span.end), span.laps, heard)


def _frames(blocks: Iterable[Samples], detector: Detector, tape: _Tape) -> Iterator[Frame]:
    for group in _groups(blocks):
        tape.add(group)
        whole = np.pad(group, (0, -len(group) % FRAME))
        energy = np.mean(np.square(whole.reshape(-1, FRAME)), axis=1)
        for speech, loudness in zip(detector(whole).tolist(), energy.tolist(), strict=True):
            yield Frame(speech, loudness)


def _groups(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The same samples in groups of `_GROUP`, the last one shorter."""
    waiting: list[Samples] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count >= _GROUP:
            joined = np.concatenate(waiting)
            whole = len(joined) - len(joined) % _GROUP
            for start in range(0, whole, _GROUP):
                yield joined[start : start + _GROUP]
            waiting, count = [joined[whole:]], len(joined) - whole
    if count:
        yield np.concatenate(waiting)


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
