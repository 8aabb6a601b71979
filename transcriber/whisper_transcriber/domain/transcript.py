"""What was said in a file, and when: the results of its windows, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from whisper_transcriber.domain.options import Task
from whisper_transcriber.domain.seams import without_doubles
from whisper_transcriber.domain.segments import Segment, Token, WindowResult, Word

__all__ = ["Segment", "Token", "Transcript", "WindowResult", "Word", "by_channel", "main_language", "stitch"]


@dataclass(frozen=True)
class Transcript:
    """The transcript of one file, with what made it. `duration` is the decoded audio in seconds."""

    task: Task
    language: str
    duration: float
    segments: tuple[Segment, ...]
    model: str
    model_digest: str
    engine: str

    @property
    def text(self) -> str:
        """All segments as one line; empty for silence."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in order; empty unless word timestamps were asked for."""
        return tuple(word for _, word in self.spoken)

    @property
    def spoken(self) -> tuple[tuple[Segment, Word], ...]:
        """All words in order, each with its segment: people on channels of their own may speak at the same time."""
        found = ((segment, word) for segment in self.segments for word in segment.words)
        return tuple(sorted(found, key=lambda pair: pair[1].start))

    @property
    def turns(self) -> tuple[tuple[Segment, ...], ...]:
        """The segments, those in a row of one channel together."""
        return tuple(tuple(turn) for _, turn in groupby(self.segments, key=lambda segment: segment.channel))


def main_language(results: Sequence[WindowResult]) -> str | None:
    """The language of most of the speech, windows voting with their seconds times certainty; None without speech."""
    votes: defaultdict[str, float] = defaultdict(float)
    for result in results:
        if result.segments:
            votes[result.language] += (result.window.end - result.window.start) * result.language_probability
    return max(sorted(votes), key=lambda code: votes[code]) if votes else None


def stitch(
    results: Sequence[WindowResult],
    *,
    duration: float,
    model: str,
    model_digest: str,
    engine: str,
    task: Task = "transcribe",
    language: str | None = None,
) -> Transcript:
    """The transcript of a file from the results of its windows, in any order.

    Times come out within [0, duration] and in order, of segments and of words; channels that were kept apart go on at
    the same time, and their segments are in the order in which they begin. A window that is there twice counts once
    (the first), and what two windows share is in the text once. `language` is the one that was asked for; where none
    was, the language of most of the speech is named, and English where there was no speech at all.
    """
    once: dict[int, WindowResult] = {}
    for result in results:
        once.setdefault(result.window.index, result)
    ordered = [once[index] for index in sorted(once)]
    streams = [_joined(stream, duration) for stream in by_channel(ordered).values()]
    segments = sorted((segment for stream in streams for segment in stream), key=lambda segment: segment.start)
    return Transcript(
        task=task,
        language=language or main_language(ordered) or "en",
        duration=duration,
        segments=tuple(segments),
        model=model,
        model_digest=model_digest,
        engine=engine,
    )


def by_channel(results: Iterable[WindowResult]) -> dict[int | None, list[WindowResult]]:
    """The results of each channel, in their order; channels that were mixed are one, None."""
    streams: dict[int | None, list[WindowResult]] = {}
    for result in results:
        streams.setdefault(result.window.channel, []).append(result)
    return dict(sorted(streams.items(), key=lambda stream: stream[0] or 0))


def _joined(stream: Sequence[WindowResult], duration: float) -> list[Segment]:
    """The segments of one channel, whose windows are in order."""
    segments: list[Segment] = []
    floor = 0.0
    for result in without_doubles(stream):
        for segment in result.segments:
            segments.append(replace(_within(segment, floor, duration), channel=result.window.channel))
            floor = max([floor, segments[-1].start, *(word.start for word in segments[-1].words)])
    return segments


def _within(segment: Segment, floor: float, ceiling: float) -> Segment:
    """The segment with every time in [floor, ceiling], every start ≤ its end, and its words in order."""

    def clamp(time: float, least: float) -> float:
        return min(max(time, least), max(ceiling, floor))

    start = least = clamp(segment.start, floor)
    words: list[Word] = []
    for word in segment.words:
        least = clamp(word.start, least)
        words.append(replace(word, start=least, end=clamp(word.end, least)))
    end = max([start, clamp(segment.end, floor), *(word.end for word in words)])
    return replace(segment, start=start, end=end, words=tuple(words))
