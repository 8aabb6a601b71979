"""A segment cut into screenfuls at the places where a reader would pause. Pure; nothing is dropped or said twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from whisper_transcriber.domain.transcript import Segment
from whisper_transcriber.render.breaks import break_cost

LINE: Final = 42  # columns; a wide (Chinese, Japanese, Korean) character takes two
LONGEST: Final = 7.0  # seconds
_LONELY, _CUE, _FLASH, _UNEVEN = 100.0, 2.0, 2.0, 3.0
_SHORT_WIDTH: Final = 20  # columns; a cue below it looks like a leftover
_SHORT_TIME: Final = 1.0  # seconds; below it a cue flashes by


@dataclass(frozen=True)
class Cue:
    """One or two lines, in seconds of the file."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Unit:
    """What is never broken: a word, or a character of a script without spaces. `space`: one stands before it."""

    text: str
    space: bool
    start: float
    end: float

    @property
    def width(self) -> int:
        return _width(self.text)


def cues(segment: Segment, language: str) -> list[Cue]:
    """The cues of a segment: at most two lines of 42 columns and 7 s each, in order, within the segment's times.

    Cuts go to sentence ends first, then to pauses, commas and link words. A word stands alone only as a whole segment,
    or where the limits leave it no neighbour. Without usable word times, time is shared by characters.
    """
    units = list(_units(segment))
    if not units:
        return []
    page = _Page(units, language)
    return [
        Cue(units[at].start, min(units[to - 1].end, units[at].start + LONGEST), page.lines(at, to))
        for at, to in page.cuts()
    ]


class _Page:
    """The units of one segment with what measuring them needs."""

    def __init__(self, units: Sequence[_Unit], language: str) -> None:
        self._units = units
        self._begins, self._ends, column = [], [], 0
        for unit in units:
            column += unit.space
            self._begins.append(column)
            column += unit.width
            self._ends.append(column)
        self._breaks = [
            break_cost(before.text, after.text, after.start - before.end, language) for before, after in pairwise(units)
        ]

    def cuts(self) -> list[tuple[int, int]]:
        """The cheapest way to cut all units into cues: half-open ranges of units."""
        count = len(self._units)
        best = [0.0] + [float("inf")] * count
        came = [0] * (count + 1)
        for at in range(count):
            for to in self._reach(at):
                cost = best[at] + self._cost(at, to)
                if cost < best[to]:
                    best[to], came[to] = cost, at
        ranges, to = [], count
        while to:
            ranges.append((came[to], to))
            to = came[to]
        return ranges[::-1]

    def lines(self, at: int, to: int) -> tuple[str, ...]:
        """The units of a cue on one line if they fit, else on the two that look best."""
        if self._columns(at, to) <= LINE:
            return (self._text(at, to),)
        splits = [k for k in range(at + 1, to) if self._columns(at, k) <= LINE and self._columns(k, to) <= LINE]
        best = min(splits, key=lambda k: self._breaks[k - 1] + abs(self._columns(at, k) - self._columns(k, to)) / 6)
        return self._text(at, best), self._text(best, to)

    def _reach(self, at: int) -> Iterator[int]:
        """Where a cue that begins at `at` may end; the first unit always fits."""
        start, second = self._units[at].start, at
        for to in range(at + 1, len(self._units) + 1):
            if to > at + 1 and self._units[to - 1].end - start > LONGEST:
                return
            if second == at and self._columns(at, to) > LINE:
                second = to - 1
            if second > at and self._columns(second, to) > LINE:
                return
            yield to

    def _cost(self, at: int, to: int) -> float:
        width, units = self._columns(at, to), self._units
        cost = _CUE + _UNEVEN * (width / (2 * LINE)) ** 2
        if (at, to) == (0, len(units)):
            return cost
        if to < len(units):
            cost += self._breaks[to - 1]
        cost += max(0, _SHORT_WIDTH - width) / 4
        cost += _FLASH * (units[to - 1].end - units[at].start < _SHORT_TIME)
        return cost + _LONELY * (to - at == 1)

    def _columns(self, at: int, to: int) -> int:
        return self._ends[to - 1] - self._begins[at]

    def _text(self, at: int, to: int) -> str:
        rest = "".join(f" {unit.text}" if unit.space else unit.text for unit in self._units[at + 1 : to])
        return self._units[at].text + rest


def _units(segment: Segment) -> Iterator[_Unit]:
    """The segment's units in order, their times within the segment and never going back."""
    last = segment.start
    for text, space, start, end in _pieces(segment):
        begin = min(max(start, last), segment.end)
        last = min(max(end, begin), segment.end)
        yield from _small(_Unit(text, space, begin, last))


def _pieces(segment: Segment) -> Iterator[tuple[str, bool, float, float]]:
    """(text, whether a space precedes, start, end) by word times if these make up the text, else by characters."""
    whole = " ".join(segment.text.split())
    spoken = [word for word in segment.words if word.word.strip()]
    if " ".join("".join(word.word for word in spoken).split()) == whole:
        ended = True
        for word in spoken:
            for index, text in enumerate(word.word.split()):
                yield text, bool(index) or ended or word.word[0].isspace(), word.start, word.end
            ended = word.word[-1].isspace()
        return
    scale, column = (segment.end - segment.start) / max(1, len(whole)), 0
    for text in whole.split():
        start = segment.start + column * scale
        column += len(text)
        yield text, True, start, segment.start + column * scale
        column += 1


def _small(unit: _Unit) -> Iterator[_Unit]:
    """The unit, or its parts if it may or must be broken: between wide characters, or because it fits no line."""
    parts = list(_parts(unit.text))
    step, at = (unit.end - unit.start) / len(unit.text), 0
    for index, part in enumerate(parts):
        start = unit.start + at * step
        at += len(part)
        end = unit.end if index == len(parts) - 1 else unit.start + at * step
        yield _Unit(part, unit.space and not index, start, end)


def _parts(text: str) -> Iterator[str]:
    part = ""
    for character in text:
        apart = part and (_splits(part[-1], character) or _width(part + character) > LINE)
        if apart:
            yield part
        part = character if apart else part + character
    yield part


def _splits(before: str, after: str) -> bool:
    """Whether a line may break between two characters: around an ideograph or syllable, never before a mark."""
    if not unicodedata.category(after).startswith(("L", "N")):
        return False
    return _width(after) == 2 or _width(before) == 2


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in text)
