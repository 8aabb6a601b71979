"""What was heard in a window: words, segments, and the result that is kept of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from whisper_transcriber.domain.window import Window


class Token(NamedTuple):
    """A piece of a word as the model wrote it: its UTF-8 in hex, maybe of half a character, and its log probability."""

    utf8: str
    logprob: float


@dataclass(frozen=True)
class Word:
    """A spoken word with its leading space; `start` and `end` in seconds of the file.

    Its `tokens` are there only where their probabilities were asked for; together they are the word.
    """

    start: float
    end: float
    word: str
    probability: float
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A phrase of the transcript; `start` and `end` in seconds of the file, the rest as openai-whisper defines it.

    `channel`, from 0, is known in a transcript of channels that were kept apart; in a window's result the window says.
    """

    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()
    channel: int | None = None

    @property
    def speaker(self) -> str | None:
        """A name for who says it, where each has a channel."""
        return None if self.channel is None else f"Speaker {self.channel + 1}"


@dataclass(frozen=True)
class WindowResult:
    """One finished window: the unit that is checkpointed, so a killed worker goes on after the last one recorded."""

    window: Window
    language: str
    language_probability: float
    segments: tuple[Segment, ...]

    def to_json(self) -> str:
        """A compact JSON object; `from_json` is its inverse."""
        body = asdict(self)
        body["window"] = {"index": self.window.index, "start": self.window.start, "end": self.window.end}
        # Written only where they say something: a version that does not know them reads the rest.
        if self.window.laps:
            body["window"]["laps"] = True
        if self.window.channel is not None:
            body["window"]["channel"] = self.window.channel
        for segment in body["segments"]:
            del segment["channel"]
            segment["words"] = [{name: word[name] for name in word if word[name] != ()} for word in segment["words"]]
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

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
                        "words": tuple(_word(word) for word in segment["words"]),
                    }
                )
                for segment in body["segments"]
            ),
        )


def _word(body: dict[str, Any]) -> Word:
    return Word(**{**body, "tokens": tuple(Token(*token) for token in body.get("tokens", ()))})
