"""Where two windows share audio, each word of it was heard twice: which of the two is kept. Pure.

Both windows heard the shared stretch, but each hears badly what is at its own edge. So the transcript goes from the one
to the other in the longest run of words that both heard at the same time; or where there is none, in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from whisper_transcriber.domain.languages import UNSPACED
from whisper_transcriber.domain.segments import Segment, WindowResult, Word

_SLACK: Final = 0.5  # s by which two windows may differ in when a word was, where both know the times of their words
_GUESSED_SLACK: Final = 2.0  # s, where times of words are only guessed from those of their segments


class _Unit(NamedTuple):
    """A word as one window heard it, and the place of its segment in the window's."""

    segment: int
    word: Word

    @property
    def plain(self) -> str:
        """The word without case and punctuation; empty for punctuation alone."""
        return "".join(re.findall(r"\w", self.word.word.lower()))

    @property
    def middle(self) -> float:
        return (self.word.start + self.word.end) / 2


class _Run(NamedTuple):
    """So many words that both heard: from which unit on the left, from which on the right."""

    left: int
    right: int
    length: int


def without_doubles(results: Sequence[WindowResult]) -> list[WindowResult]:
    """The results of consecutive windows, each word of what two of them share in only one of them.

    Times of segments that lose words are those of the words that are left; their tokens are not known any more.
    """
    kept: list[WindowResult] = []
    for result in results:
        if kept and kept[-1].window.end > result.window.start:
            kept[-1], result = _parted(kept[-1], result)
        kept.append(result)
    return kept


def _parted(left: WindowResult, right: WindowResult) -> tuple[WindowResult, WindowResult]:
    start, end = right.window.start, left.window.end
    before, after = _units(left), _units(right)
    timed = all(segment.words for segment in (*left.segments, *right.segments))
    slack = _SLACK if timed else _GUESSED_SLACK
    # Words this near to the shared stretch may belong to it.
    first = next((i for i, unit in enumerate(before) if unit.word.end > start - slack), len(before))
    last = next((i for i, unit in enumerate(after) if unit.word.start > end + slack), len(after))
    stop, go_on = _passage(before[first:], after[:last], (start + end) / 2, slack)
    return _with(left, before[: first + stop]), _with(right, after[go_on:])


def _passage(before: Sequence[_Unit], after: Sequence[_Unit], middle: float, slack: float) -> tuple[int, int]:
    """How many of the left units are kept, and from which on the right ones are."""
    if not before or not after:
        return len(before), 0  # what only one window heard is not doubled
    run = _common_run(before, after, slack)
    if run is not None:
        passed = sum(unit.middle < middle for unit in before[run.left : run.left + run.length])
        return run.left + passed, run.right + passed
    stop = sum(unit.middle < middle for unit in before)
    go_on = sum(unit.middle < middle for unit in after)
    if stop > 0 and go_on < len(after) and _is_same(before[stop - 1].word, after[go_on].word):
        # One word, heard on both sides of the middle: the surer one stays.
        if before[stop - 1].word.probability < after[go_on].word.probability:
            stop -= 1
        else:
            go_on += 1
    return stop, go_on


def _common_run(before: Sequence[_Unit], after: Sequence[_Unit], slack: float) -> _Run | None:
    """The words in a row that both have at about the same time; longer is better, and nearer in time is."""
    best: tuple[float, _Run] | None = None
    for left in range(len(before)):
        for right in range(len(after)):
            agreement, count = 0.0, 0
            for one, other in zip(before[left:], after[right:], strict=False):
                apart = abs(one.middle - other.middle) / slack
                if one.plain != other.plain or apart >= 1.0:
                    break
                agreement, count = agreement + (1.0 - apart if one.plain else 0.0), count + 1
            if agreement > 0 and (best is None or agreement > best[0]):
                best = (agreement, _Run(left, right, count))
    return best[1] if best else None


def _is_same(one: Word, other: Word) -> bool:
    """Whether two words are in the same place: they share more than half of the shorter one's time."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > 0.5 * min(one.end - one.start, other.end - other.start)


def _units(result: WindowResult) -> list[_Unit]:
    unspaced = result.language in UNSPACED
    return [
        _Unit(index, word)
        for index, segment in enumerate(result.segments)
        for word in segment.words or _guessed(segment, unspaced)
    ]


def _guessed(segment: Segment, unspaced: bool) -> Iterator[Word]:
    """The words of a segment that was not aligned; its time is shared among them by their letters."""
    texts = re.findall(r"\s*\S" if unspaced else r"\s*\S+", segment.text)
    letters, said = sum(map(len, texts)), 0
    for text in texts:
        begins, said = said / letters, said + len(text)
        length = segment.end - segment.start
        yield Word(segment.start + begins * length, segment.start + said / letters * length, text, 0.0)


def _with(result: WindowResult, units: Sequence[_Unit]) -> WindowResult:
    """The result with only these of its words."""
    segments: list[Segment] = []
    for index, segment in enumerate(result.segments):
        own = [unit.word for unit in units if unit.segment == index]
        if len(own) == len(segment.words or _texts(result, segment)):
            segments.append(segment)
        elif own:
            segments.append(_cut(segment, own))
    return replace(result, segments=tuple(segments))


def _texts(result: WindowResult, segment: Segment) -> Sequence[Word]:
    return list(_guessed(segment, result.language in UNSPACED))


def _cut(segment: Segment, words: Sequence[Word]) -> Segment:
    return replace(
        segment,
        start=words[0].start,
        end=words[-1].end,
        text="".join(word.word for word in words),
        tokens=(),
        words=tuple(words) if segment.words else (),
    )
