"""Where to cut: windows of at most 30 seconds that hold all the speech, cut in silence wherever there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final, NamedTuple

from whisper_transcriber.domain.options import Vad
from whisper_transcriber.domain.window import Frame, frames_in


class Run(NamedTuple):
    """Frames [start, end) of a file."""

    start: int
    end: int


class Span(NamedTuple):
    """Frames [start, end) of a file that make a window; `speech` in it, and how sure it is on the average.

    `laps`: it shares frames with the span before or after it, because there was no silence to cut in.
    """

    start: int
    end: int
    laps: bool = False
    speech: tuple[Run, ...] = ()
    certainty: float = 0.0


class Cut(NamedTuple):
    """A full window's length, from which frame the next one begins, and whether the cut is in the middle of speech."""

    length: int
    following: int
    in_speech: bool


@dataclass(frozen=True)
class CutRules:
    """How windows are cut; all lengths in frames.

    A quiet beginning of a word costs words, a window too many costs only time: so the thresholds are low and the
    padding is generous, and what is not speech after all is dropped once it has been decoded.
    """

    longest: int = frames_in(30.0)
    onset: float = 0.4  # a frame at least this likely begins speech …
    offset: float = 0.25  # … and speech lasts until a frame is less likely than this
    lead: int = frames_in(0.4)  # silence kept before speech …
    tail: int = frames_in(0.4)  # … and after it
    gap: int = frames_in(3.0)  # a silence this long is left out; shorter ones stay inside the window
    least_speech: int = frames_in(0.1)  # less speech than this in a whole window is a click
    pause: int = frames_in(0.1)  # the shortest silence that a full window may be cut in
    good_pause: int = frames_in(0.5)  # from here on a longer silence is no better, a later one is
    earliest_cut: float = 1 / 3  # of a full window: no cut before it, so that no window is needlessly short
    lap: int = frames_in(0.8)  # how far both windows go on beyond a cut in the middle of speech


RULES: Final = CutRules()
_LASTING: Final = 0.6  # of the onset: what speech that has begun must still reach


def rules_for(vad: Vad, longest: float = 30.0) -> CutRules:
    """The rules for windows of at most `longest` seconds, with what somebody asked for in place of our own."""
    rules = replace(RULES, longest=frames_in(longest))
    if vad.threshold is not None:
        rules = replace(rules, onset=vad.threshold, offset=vad.threshold * _LASTING)
    if vad.silence_duration_ms is not None:
        rules = replace(rules, gap=max(1, frames_in(vad.silence_duration_ms / 1000)))
    if vad.prefix_padding_ms is not None:
        rules = replace(rules, lead=frames_in(vad.prefix_padding_ms / 1000))
    return rules


def spans(frames: Iterable[Frame], rules: CutRules = RULES) -> Iterator[Span]:
    """Cut a stream of frames into spans: in order, and none longer than `rules.longest`.

    Every frame of speech is in a span, except for clicks; none is in two, except for the laps beside a cut in the
    middle of speech. Looks back no further than `rules.longest` and holds no more, and depends on nothing but the
    frames: the same file always gives the same spans.
    """
    cutting = Cutting(rules)
    for frame in frames:
        yield from cutting.take(frame)
    yield from cutting.finish()


class Cutting:
    """The span being filled: which frames are speech, how surely, how loud, and where its first frame lies.

    For whoever has several streams to cut at once: `take` each frame, then `finish`; both give the spans that end.
    """

    def __init__(self, rules: CutRules) -> None:
        self._rules = rules
        self._speech: list[bool] = []
        self._likely: list[float] = []
        self._energy: list[float] = []
        self._start = 0  # frame number of the first held frame
        self._talking = False
        self._lapped = False  # it begins with frames of the span before
        self._first: int | None = None  # first and last held frames of speech, counted in the file
        self._last = 0

    def take(self, frame: Frame) -> Iterator[Span]:
        rules = self._rules
        self._talking = frame.speech >= (rules.offset if self._talking else rules.onset)
        self._hold(frame)
        if self._first is None:
            self._forget(len(self._speech) - rules.lead)
        elif self._end - 1 - self._last >= rules.gap:
            length = self._last + 1 + min(rules.tail, rules.gap) - self._start
            yield from self._emit(Cut(length, length, False))
        elif len(self._speech) >= rules.longest:
            yield from self._emit(full_cut(self._speech, self._energy, rules))

    def finish(self) -> Iterator[Span]:
        if self._first is not None:
            length = min(len(self._speech), self._last + 1 + self._rules.tail - self._start)
            yield from self._emit(Cut(length, len(self._speech), False))

    @property
    def _end(self) -> int:
        return self._start + len(self._speech)

    def _hold(self, frame: Frame) -> None:
        if self._talking:
            self._last = self._end
            if self._first is None:
                self._first = self._last
        self._speech.append(self._talking)
        self._likely.append(frame.speech)
        self._energy.append(frame.energy)

    def _forget(self, count: int) -> None:
        if count > 0:
            del self._speech[:count], self._likely[:count], self._energy[:count]
            self._start += count

    def _emit(self, cut: Cut) -> Iterator[Span]:
        """Give out the held frames up to the cut, if they are speech enough, and go on with those after it."""
        if sum(self._speech[: cut.length]) >= self._rules.least_speech:
            yield self._span(cut)
        self._forget(cut.following)
        self._lapped = cut.in_speech
        self._first = next((self._start + i for i, speech in enumerate(self._speech) if speech), None)
        lead = len(self._speech) if self._first is None else self._first - self._start
        self._forget(lead - self._rules.lead)

    def _span(self, cut: Cut) -> Span:
        # What is told of the speech does not depend on the threshold that somebody asked for: it is evidence.
        likely = self._likely[: cut.length]
        speech = [each >= RULES.offset for each in likely]
        return Span(
            self._start,
            self._start + cut.length,
            self._lapped or cut.in_speech,
            tuple(Run(self._start + run.start, self._start + run.end) for run in _runs(speech, True)),
            sum(compress(likely, speech)) / max(1, sum(speech)),
        )


def full_cut(speech: Sequence[bool], energy: Sequence[float], rules: CutRules = RULES) -> Cut:
    """Where to cut a full window.

    The best silence wins (longer up to `good_pause`, then the later one). In speech without pauses, the quietest tenth
    of a second does, and both windows go on beyond it, so that the word that is there is whole in one of them.
    """
    earliest = int(len(speech) * rules.earliest_cut)
    quiet = [Run(earliest + run.start, earliest + run.end) for run in _runs(speech[earliest:], False)]
    pauses = [run for run in quiet if run.end - run.start >= rules.pause]
    if not pauses:
        quietest = _quietest(energy[: len(energy) - rules.lap], earliest, rules.pause)
        return Cut(quietest + rules.lap, quietest - rules.lap, True)
    best = max(pauses, key=lambda run: (min(run.end - run.start, rules.good_pause), run.end))
    middle = (best.start + best.end) // 2
    return Cut(min(best.start + rules.tail, middle), max(best.end - rules.lead, middle), False)


def _runs(flags: Sequence[bool], wanted: bool) -> Iterator[Run]:
    """The longest runs of frames that are all as wanted."""
    start = None
    for index in range(len(flags) + 1):
        fits = index < len(flags) and flags[index] == wanted
        if fits and start is None:
            start = index
        elif not fits and start is not None:
            yield Run(start, index)
            start = None


def _quietest(energy: Sequence[float], earliest: int, width: int) -> int:
    """The middle of the `width` frames with the least energy; of equals, the latest. Never before `earliest`."""
    starts = range(earliest, len(energy) - width + 1)
    best = min(reversed(starts), key=lambda start: sum(energy[start : start + width]))
    return best + width // 2
