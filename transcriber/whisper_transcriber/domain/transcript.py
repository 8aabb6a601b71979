"""What was said, and when: words, segments, the result of one window, and the whole transcript."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from whisper_transcriber.domain.options import Task
from whisper_transcriber.domain.window import Window


@dataclass(frozen=True)
class Word:
    """A spoken word with its leading space; `start` and `end` in seconds of the file."""

    start: float
    end: float
    word: str
    probability: float


@dataclass(frozen=True)
class Segment:
    """A phrase of the transcript; `start` and `end` in seconds of the file, the rest as openai-whisper defines it."""

    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class WindowResult:
    """One finished window: the unit that is checkpointed, so a killed worker goes on after the last one recorded."""

    window: Window
    language: str
    language_probability: float
    segments: tuple[Segment, ...]

    def to_json(self) -> str:
        """A compact JSON object; `from_json` is its inverse."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> WindowResult:
        """Read what `to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
        body: dict[str, Any] = json.loads(text)
        return cls(
            window=Window(**body["window"]),
            language=body["language"],
            language_probability=body["language_probability"],
            segments=tuple(
                Segment(
                    **{
                        **segment,
                        "tokens": tuple(segment["tokens"]),
                        "words": tuple(Word(**word) for word in segment["words"]),
                    }
                )
                for segment in body["segments"]
            ),
        )


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
        return tuple(word for segment in self.segments for word in segment.words)


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

    Segment times come out within [0, duration] and in order. A window that is there twice counts once (the first).
    `language` is the one that was asked for; where none was, the language of most of the speech is named, and English
    where there was no speech at all.
    """
    once: dict[int, WindowResult] = {}
    for result in results:
        once.setdefault(result.window.index, result)
    ordered = [once[index] for index in sorted(once)]
    segments: list[Segment] = []
    for result in ordered:
        for segment in result.segments:
            floor = segments[-1].start if segments else 0.0
            segments.append(_within(segment, floor, duration))
    return Transcript(
        task=task,
        language=language or main_language(ordered) or "en",
        duration=duration,
        segments=tuple(segments),
        model=model,
        model_digest=model_digest,
        engine=engine,
    )


def _within(segment: Segment, floor: float, ceiling: float) -> Segment:
    """The segment with every time in [floor, ceiling] and every start ≤ its end."""

    def clamp(time: float) -> float:
        return min(max(time, floor), max(ceiling, floor))

    start = clamp(segment.start)
    words = tuple(
        Word(clamp(word.start), max(clamp(word.start), clamp(word.end)), word.word, word.probability)
        for word in segment.words
    )
    return Segment(
        start=start,
        end=max(start, clamp(segment.end)),
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature,
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_prob,
        words=words,
    )
