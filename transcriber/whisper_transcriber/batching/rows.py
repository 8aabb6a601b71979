"""A window on its way through the pipeline, and how its phrases become segments of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

from whisper_transcriber.batching.filters import believed, heard_from
from whisper_transcriber.batching.gate import compression_ratio
from whisper_transcriber.batching.phrasing import phrases
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Segment, WindowResult, Word
from whisper_transcriber.domain.window import Heard, Window
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Phrase, Prompt, Timed


@dataclass(frozen=True, eq=False)
class Item:
    """A window to transcribe."""

    window: Window
    samples: Samples
    options: Options = field(default_factory=Options)


@dataclass(eq=False)
class Row:
    """A stretch of a window on its way: all of it at first, then what is left where the model stopped short."""

    item: Item
    offset: float  # seconds of the window
    language: Language | None = None
    encoded: Encoded | None = None
    segments: list[Segment] = field(default_factory=list)
    ran_out: bool = False  # of tokens, before it was all said

    @property
    def timed(self) -> bool:
        """Whether the model writes timestamps.

        Finding the words in time afterwards costs less. But a translation's words are not in the order of the speech;
        and where the model ran out of tokens, its timestamps say how far it came.
        """
        return self.ran_out or self.item.options.task == "translate"

    @property
    def prompt(self) -> Prompt:
        assert self.language is not None, "languages are settled before decoding"
        return Prompt(self.language.code, self.item.options.task, self.item.options.context, self.timed)

    @property
    def states(self) -> Encoded:
        assert self.encoded is not None, "rows are encoded first"
        return self.encoded

    @property
    def heard(self) -> Heard | None:
        """What the voice detector heard in this stretch, in seconds since its beginning."""
        return heard_from(self.item.window.heard, self.item.window.start + self.offset)

    @property
    def keeps_words(self) -> bool:
        """Whether its words are a part of the result: they were asked for, or tell what two windows share."""
        return self.item.options.word_timestamps or self.item.window.laps

    @property
    def needs_words(self) -> bool:
        """Whether its words must be found in time."""
        return self.keeps_words or not self.timed

    def go_on(self, resume: float) -> None:
        """Leave out what has been decoded, up to `resume` seconds of this stretch."""
        self.ran_out = self.ran_out or resume == 0
        self.offset += resume
        self.encoded = None if resume else self.encoded

    def add(self, decoded: Decoded, words: Sequence[Sequence[Timed]] | None) -> None:
        """Add the phrases that were decoded, each with its words if they are known, as segments of the file."""
        if words is not None and not self.timed:
            decoded, words = _parted(decoded, words, self.heard)
        origin = self.item.window.start + self.offset
        for phrase, own in zip(decoded.phrases, words or repeat(()), strict=False):
            self.segments.append(_segment(phrase, own if self.keeps_words else (), decoded, origin))

    def result(self) -> WindowResult:
        """What was made of the window."""
        assert self.language is not None, "a row that went through has a language"
        language, probability = self.language.code, round(self.language.probability, 4)
        window = replace(self.item.window, heard=None)  # of no use any more, and a file has many windows
        return WindowResult(window, language, probability, tuple(self.segments))


def _parted(
    decoded: Decoded, words: Sequence[Sequence[Timed]], heard: Heard | None
) -> tuple[Decoded, Sequence[Sequence[Timed]]]:
    """The one phrase of a decoding without timestamps as those that its words make, without what was never said."""
    ((whole,), (all_words,)) = decoded.phrases, words
    if not all_words:
        return decoded, words
    parts = list(phrases(all_words, whole.tokens))
    left = believed(replace(decoded, phrases=tuple(phrase for phrase, _ in parts)), heard).phrases
    return replace(decoded, phrases=left), [own for phrase, own in parts if phrase in left]


def _segment(phrase: Phrase, words: Sequence[Timed], decoded: Decoded, origin: float) -> Segment:
    """A phrase as a segment of the file; words, where there are any, know better when it began and ended."""
    timed = tuple(
        Word(round(origin + word.start, 2), round(origin + word.end, 2), word.word, round(word.probability, 4))
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
