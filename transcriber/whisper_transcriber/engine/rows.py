"""What the engines share: rows in groups of one length, short inputs and when they do not do, words of phrases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.engine.alignment import timed_words
from whisper_transcriber.engine.features import FRAMES
from whisper_transcriber.engine.groups import in_groups
from whisper_transcriber.engine.port import WINDOW_SECONDS, Decoded, Encoded, Language, Phrase, Prompt, Sampling, Timed
from whisper_transcriber.engine.shorter import LONGEST_SHORT, SURE_ON_SHORT, input_frames
from whisper_transcriber.engine.tokens import Tokens


@dataclass(frozen=True, eq=False)
class States:
    """What the encoder made of a window, shape [frames / 2, width], and the window itself; `full`: of all 30 s."""

    hidden: Any
    audio: Samples
    full: bool


@dataclass(frozen=True)
class Path:
    """How tokens of a row lie in time: (token, encoder frame) pairs in order, and the probability of each token."""

    pairs: Sequence[tuple[int, int]]
    probabilities: Sequence[float]


class RowEngine(ABC):
    """An engine whose library takes rows of one length at a time; a subclass says how it is called."""

    multilingual: bool
    short_languages: frozenset[str]
    tokens: Tokens

    def longest(self, language: str | None) -> float:
        short = self.short_languages if language is None else language in self.short_languages
        return LONGEST_SHORT if short else WINDOW_SECONDS

    def encode_key(self, samples: int) -> Hashable:
        return self._frames(samples)

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        lengths = [FRAMES if full else self._frames(len(samples)) for samples in batch]
        return in_groups(lengths, lambda group: self._encoded([batch[i] for i in group], lengths[group[0]]))

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        if not self.multilingual:
            return [Language("en", 1.0) for _ in rows]
        return in_groups(_lengths(rows), lambda group: self._detected([rows[i] for i in group], among))

    def decode_key(self, prompt: Prompt) -> Hashable:
        # The libraries want <|startoftranscript|> at the same place in all prompts of a batch.
        return len(self.tokens.prompt(prompt))

    def decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        fit = [self._fit(row, prompt) for row, prompt in zip(rows, prompts, strict=True)]
        return in_groups(
            _lengths(fit), lambda group: self._decode([fit[i] for i in group], [prompts[i] for i in group], sampling)
        )

    def align_key(self, prompt: Prompt) -> Hashable:
        return tuple(self.tokens.start(prompt))

    def align(
        self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
    ) -> list[list[list[Timed]]]:
        words = [
            [self.tokens.words(phrase, prompt.language) for phrase in row]
            for row, prompt in zip(phrases, prompts, strict=True)
        ]
        texts = [[token for phrase in row for token in phrase.tokens if token < self.tokens.eot] for row in phrases]
        sounding = [index for index, text in enumerate(texts) if text]
        start = self.tokens.start(prompts[0]) if prompts else []
        found = in_groups(
            _lengths([rows[index] for index in sounding]),
            lambda group: self._align([rows[sounding[i]] for i in group], start, [texts[sounding[i]] for i in group]),
        )
        timed: list[list[Timed]] = [[] for _ in rows]
        for index, path in zip(sounding, found, strict=True):
            flat = [word for phrase in words[index] for word in phrase]
            spelt = [token for phrase in phrases[index] for token in self.tokens.spelt(phrase)]
            chances = zip(spelt, path.probabilities, strict=True)
            timed[index] = _spelt(timed_words(flat, path.pairs, path.probabilities), chances)
        return [_dealt(row, [len(phrase) for phrase in counts]) for row, counts in zip(timed, words, strict=True)]

    @abstractmethod
    def _encode(self, batch: Sequence[Samples], frames: int) -> Sequence[Any]:
        """The encoder's states of windows that are each shown as so many frames."""

    @abstractmethod
    def _detect(self, rows: Sequence[Encoded], among: Sequence[str]) -> list[Language]:
        """The languages of rows of one length, by a multilingual model; of those in `among`, if there are any."""

    @abstractmethod
    def _decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        """Decode rows of one length."""

    @abstractmethod
    def _align(self, rows: Sequence[Encoded], start: list[int], texts: list[list[int]]) -> list[Path]:
        """Where the tokens of each text, which is not empty, lie in its row; rows of one length."""

    def _decoded(
        self, tokens: list[int], row: Encoded, sampling: Sampling, *, avg_logprob: float, no_speech_prob: float
    ) -> Decoded:
        phrases, resume = self.tokens.phrases(tokens, row.seconds)
        states: States = row.states
        return Decoded(
            phrases,
            self.tokens.text(tokens),
            avg_logprob,
            no_speech_prob,
            sampling.temperature,
            resume,
            short=not states.full,
        )

    def _frames(self, samples: int) -> int:
        return input_frames(samples, short=bool(self.short_languages))

    def _fit(self, row: Encoded, prompt: Prompt) -> Encoded:
        """The row, encoded again with the full input where its language is not to be decoded from a short one."""
        states: States = row.states
        if states.full or prompt.language in self.short_languages:
            return row
        return self._encoded([states.audio], FRAMES)[0]

    def _encoded(self, batch: Sequence[Samples], frames: int) -> list[Encoded]:
        return [
            Encoded(States(hidden, samples, frames == FRAMES), len(samples) / SAMPLE_RATE)
            for hidden, samples in zip(self._encode(batch, frames), batch, strict=True)
        ]

    def _detected(self, rows: Sequence[Encoded], among: Sequence[str]) -> list[Language]:
        found = self._detect(rows, among)
        return [self._made_sure(language, row, among) for language, row in zip(found, rows, strict=True)]

    def _made_sure(self, language: Language, row: Encoded, among: Sequence[str]) -> Language:
        """The language, heard again with the full input where a short one left it open."""
        states: States = row.states
        if states.full or language.probability >= SURE_ON_SHORT:
            return language
        return self._detected(self._encoded([states.audio], FRAMES), among)[0]


def _lengths(rows: Sequence[Encoded]) -> list[int]:
    return [len(row.states.hidden) for row in rows]


def _spelt(words: Sequence[Timed], tokens: Iterator[tuple[bytes, float]]) -> list[Timed]:
    """The words of a row, each with those of the row's tokens that it is made of."""
    return [replace(word, spelt=tuple(islice(tokens, word.tokens))) for word in words]


def _dealt(words: Sequence[Timed], counts: Sequence[int]) -> list[list[Timed]]:
    """The words of a row, dealt to its phrases again."""
    left = iter(words)
    return [[next(left) for _ in range(count)] for count in counts]
