"""A window on its way through the pipeline, and how its phrases become segments of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log
from sys import float_info
from typing import Final

from whisper_transcriber.batching.filters import believed, heard_from
from whisper_transcriber.batching.gate import best, compression_ratio, silent
from whisper_transcriber.batching.ladder import CUTS, Cut, Higher, InFull, Move, move
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Segment, Token, WindowResult, Word
from whisper_transcriber.domain.window import Heard, Window
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Phrase, Prompt, Timed

_ROUNDS: Final = 8  # how often one window is gone on with where the model stopped short
_CUTTING: Final = 4  # of the rounds; the others are left for what is not decoded yet


@dataclass(frozen=True, eq=False)
class Item:
    """A window to transcribe."""

    window: Window
    samples: Samples
    options: Options = field(default_factory=Options)


@dataclass(eq=False)
class Row:
    """A stretch of a window on its way: all of it at first, then what is left where the model stopped short.

    `rung` is how far up the ladder it is to be decoded next, `full` whether from the full encoder input though it is
    short; `tries` are what was decoded of this stretch so far.
    """

    item: Item
    offset: float = 0.0  # seconds of the window
    until: float | None = None  # where it is cut in two; the rest comes in the next round
    round: int = 0  # stretches that are done
    cuts: int = 0
    rung: int = 0
    full: bool = False
    tries: list[Decoded] = field(default_factory=list)
    language: Language | None = None
    encoded: Encoded | None = None
    segments: list[Segment] = field(default_factory=list)

    @property
    def prompt(self) -> Prompt:
        assert self.language is not None, "languages are settled before decoding"
        return Prompt(self.language.code, self.item.options.task, self.item.options.context)

    @property
    def states(self) -> Encoded:
        assert self.encoded is not None, "rows are encoded first"
        return self.encoded

    @property
    def heard(self) -> Heard | None:
        """What the voice detector heard in this stretch, in seconds since its beginning."""
        start = self.item.window.start
        end = float("inf") if self.until is None else start + self.until
        return heard_from(self.item.window.heard, start + self.offset, end)

    @property
    def audio(self) -> Samples:
        """The samples of this stretch."""
        end = None if self.until is None else round(self.until * SAMPLE_RATE)
        return self.item.samples[round(self.offset * SAMPLE_RATE) : end]

    @property
    def seconds(self) -> float:
        """How long this stretch is."""
        return len(self.audio) / SAMPLE_RATE

    def judged(self, decoded: Decoded) -> Move:
        """What is to be done after this decoding of it."""
        may_cut = self.cuts < CUTS and self.round < _CUTTING
        once = self.item.options.temperature > 0
        tries = [*self.tries, decoded]
        return move(tries, self.heard, self.rung, full=self.full, may_cut=may_cut, once=once)

    def believed(self, decoded: Decoded) -> Decoded:
        """What is believed of this stretch, if this was the last try."""
        return believed(best([*self.tries, decoded], self.heard), self.heard)

    def tried(self, decoded: Decoded, then: Cut | InFull | Higher) -> None:
        """Take note of a decoding that was not the last one."""
        self.tries.append(decoded)
        match then:
            case Cut(at):
                self.until = self.offset + at
                self.cuts += 1
                self.encoded = None
                self.tries.clear()
            case InFull():
                self.full, self.encoded = True, None
            case Higher():
                self.rung += 1

    def goes_on(self, decoded: Decoded) -> bool:
        """Move on to what is left of the window, now that this has been decoded; False if nothing is."""
        if decoded.resume is not None and not silent(decoded, self.heard):
            self.offset += decoded.resume
        elif self.until is not None:
            self.offset, self.until = self.until, None
        else:
            return False
        self.round += 1
        self.cuts, self.rung, self.full, self.encoded = 0, 0, False, None
        self.tries.clear()
        return self.round < _ROUNDS

    @property
    def needs_words(self) -> bool:
        """Whether its words must be found in time: because these or the probabilities of their tokens, which come with
        them, were asked for, or to tell which two windows share.
        """
        options = self.item.options
        return options.word_timestamps or options.logprobs or self.item.window.laps

    def add(self, decoded: Decoded, words: Sequence[Sequence[Timed]]) -> None:
        """Add the phrases that were decoded, each with its words, as segments with times of the file."""
        origin = self.item.window.start + self.offset
        logprobs = self.item.options.logprobs
        self.segments += [
            _segment(*pair, decoded, origin, logprobs) for pair in zip(decoded.phrases, words, strict=True)
        ]

    def result(self) -> WindowResult:
        """What was made of the window."""
        assert self.language is not None, "a row that went through has a language"
        language, probability = self.language.code, round(self.language.probability, 4)
        window = replace(self.item.window, heard=None)  # of no use any more, and a file has many windows
        return WindowResult(window, language, probability, tuple(self.segments))


def _segment(phrase: Phrase, words: Sequence[Timed], decoded: Decoded, origin: float, logprobs: bool) -> Segment:
    """A phrase as a segment of the file; words, where there are any, know better when it began and ended."""
    timed = tuple(
        Word(
            round(origin + word.start, 2),
            round(origin + word.end, 2),
            word.word,
            round(word.probability, 4),
            _tokens(word) if logprobs else (),
        )
        for word in words
    )
    return Segment(
        start=timed[0].start if timed else round(origin + phrase.start, 2),
        end=timed[-1].end if timed else round(origin + phrase.end, 2),
        text=phrase.text,
        tokens=phrase.tokens,
        temperature=decoded.temperature,
        avg_logprob=round(decoded.avg_logprob, 6),
        compression_ratio=round(compression_ratio(decoded.text.strip()), 6),
        no_speech_prob=round(decoded.no_speech_prob, 6),
        words=timed,
    )


def _tokens(word: Timed) -> tuple[Token, ...]:
    # A probability may be too small for its type.
    return tuple(Token(utf8.hex(), round(log(max(chance, float_info.min)), 6)) for utf8, chance in word.spelt)
