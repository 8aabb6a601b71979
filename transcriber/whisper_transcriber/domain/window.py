"""Where to cut: windows of at most 30 seconds that hold all the speech, cut in silence wherever there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from whisper_transcriber.domain.audio import SAMPLE_RATE

FRAME: Final = 512
"""Samples in one frame: what the voice detector looks at once, 32 ms."""


@dataclass(frozen=True)
class Window:
    """One stretch of a file that is transcribed by itself; `start` and `end` in seconds of the file."""

    index: int
    start: float
    end: float


class Frame(NamedTuple):
    """What is known of 32 ms of audio: how likely it is speech (0..1), and its mean square."""

    speech: float
    energy: float


class Span(NamedTuple):
    """Frames [start, end) of a file."""

    start: int
    end: int


def frames_in(seconds: float) -> int:
    """How many whole frames fit into so many seconds."""
    return int(seconds * SAMPLE_RATE / FRAME + 1e-9)


@dataclass(frozen=True)
class CutRules:
    """How windows are cut; all lengths in frames.

    A quiet beginning of a word costs words, a window too many costs only time: so the thresholds are low and the
    padding is generous, and what is not speech after all is dropped by the decoder's own no-speech rule.
    """

    longest: int = frames_in(30.0)
    onset: float = 0.4  # a frame at least this likely begins speech …
    offset: float = 0.25  # … and speech lasts until a frame is less likely than this
    pad: int = frames_in(0.4)  # silence kept on both sides of speech
    gap: int = frames_in(3.0)  # a silence this long is left out; shorter ones stay inside the window
    least_speech: int = frames_in(0.1)  # less speech than this in a whole window is a click
    pause: int = frames_in(0.1)  # the shortest silence that a full window may be cut in
    good_pause: int = frames_in(0.3)  # from here on a longer silence is no better, a later one is
    earliest_cut: float = 0.5  # of a full window: no cut before it, so that no window is needlessly short


RULES: Final = CutRules()


def spans(frames: Iterable[Frame], rules: CutRules = RULES) -> Iterator[Span]:
    """Cut a stream of frames into spans: in order, without overlap, none longer than `rules.longest`.

    Every frame of speech is in a span, except for clicks. Looks back no further than `rules.longest` and holds no more,
    and depends on nothing but the frames: the same file always gives the same spans.
    """
    open_span = _Open(rules)
    for frame in frames:
        yield from open_span.take(frame)
    yield from open_span.finish()


class _Open:
    """The span being filled: which frames are speech, how loud each is, and where its first frame lies in the file."""

    def __init__(self, rules: CutRules) -> None:
        self._rules = rules
        self._speech: list[bool] = []
        self._energy: list[float] = []
        self._start = 0  # frame number of the first held frame
        self._talking = False
        self._first: int | None = None  # first and last held frames of speech, counted in the file
        self._last = 0

    def take(self, frame: Frame) -> Iterator[Span]:
        rules = self._rules
        self._talking = frame.speech >= (rules.offset if self._talking else rules.onset)
        self._hold(self._talking, frame.energy)
        if self._first is None:
            self._forget(len(self._speech) - rules.pad)
        elif self._end - 1 - self._last >= rules.gap:
            yield from self._emit(self._last + 1 + rules.pad - self._start, self._last + 1 + rules.pad - self._start)
        elif len(self._speech) >= rules.longest:
            yield from self._emit(*full_cut(self._speech, self._energy, rules))

    def finish(self) -> Iterator[Span]:
        if self._first is not None:
            length = min(len(self._speech), self._last + 1 + self._rules.pad - self._start)
            yield from self._emit(length, len(self._speech))

    @property
    def _end(self) -> int:
        return self._start + len(self._speech)

    def _hold(self, speech: bool, energy: float) -> None:
        if speech:
            self._last = self._end
            if self._first is None:
                self._first = self._last
        self._speech.append(speech)
        self._energy.append(energy)

    def _forget(self, count: int) -> None:
        if count > 0:
            del self._speech[:count], self._energy[:count]
            self._start += count

    def _emit(self, length: int, keep_from: int) -> Iterator[Span]:
        """Give out the first `length` held frames, if they are speech enough, and go on with those from `keep_from`."""
        if sum(self._speech[:length]) >= self._rules.least_speech:
            yield Span(self._start, self._start + length)
        self._forget(keep_from)
        self._first = next((self._start + i for i, speech in enumerate(self._speech) if speech), None)
        lead = len(self._speech) if self._first is None else self._first - self._start
        self._forget(lead - self._rules.pad)


def full_cut(speech: Sequence[bool], energy: Sequence[float], rules: CutRules = RULES) -> tuple[int, int]:
    """Where to cut a full window: its length, and from which frame the next one begins.

    The best silence wins (longer up to `good_pause`, then the later one); in speech without pauses, the quietest tenth
    of a second does.
    """
    earliest = int(len(speech) * rules.earliest_cut)
    pauses = [run for run in _pauses(speech, earliest) if run.end - run.start >= rules.pause]
    if not pauses:
        quietest = _quietest(energy, earliest, rules.pause)
        return quietest, quietest
    best = max(pauses, key=lambda run: (min(run.end - run.start, rules.good_pause), run.end))
    middle = (best.start + best.end) // 2
    return min(best.start + rules.pad, middle), max(best.end - rules.pad, middle)


def _pauses(speech: Sequence[bool], earliest: int) -> Iterator[Span]:
    """Runs of frames without speech that end after `earliest`, cut off at it."""
    start = None
    for index in range(earliest, len(speech) + 1):
        quiet = index < len(speech) and not speech[index]
        if quiet and start is None:
            start = index
        elif not quiet and start is not None:
            yield Span(start, index)
            start = None


def _quietest(energy: Sequence[float], earliest: int, width: int) -> int:
    """The middle of the `width` frames with the least energy; of equals, the latest. Never before `earliest`."""
    starts = range(earliest, len(energy) - width + 1)
    best = min(reversed(starts), key=lambda start: sum(energy[start : start + width]))
    return best + width // 2
