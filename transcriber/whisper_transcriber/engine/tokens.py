"""Whisper's token alphabet: prompts in, phrases and words out. Holds no state of any request: all threads share one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

from whisper_transcriber.domain.languages import LANGUAGES, UNSPACED
from whisper_transcriber.domain.options import UnsupportedOption
from whisper_transcriber.engine.port import TIME_STEP, Phrase, Prompt

CONTEXT: Final = 448  # tokens that the decoder can hold, prompt included
LONGEST: Final = CONTEXT // 2  # tokens decoded for one window
_LEADING: Final = frozenset("\"'“¿([{-")  # punctuation that belongs to the word after it …
_TRAILING: Final = frozenset("\"'.。,，!！?？:：”)]}、")  # noqa: RUF001 … and to the word before it


def _bytes() -> dict[str, int]:
    """How a `tokenizer.json` writes bytes as characters: those that can be seen as themselves, the rest from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(rest)}


_BYTES: Final = _bytes()


class Alphabet(Protocol):
    """The tokens of one model by number: what the libraries of the engines each have in a form of their own."""

    def id(self, token: str) -> int | None:
        """The number of a token as it is written, e.g. ``<|en|>``; None if there is none."""

    def encode(self, text: str) -> list[int]:
        """Text as tokens, without marks around it."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, of which none is a mark."""

    def spelt(self, token: int) -> bytes:
        """What one token stands for, in UTF-8; it may be only a part of a character."""


class FileAlphabet:
    """A `tokenizer.json`, as models in CTranslate2's form have it."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer  # not needed where openai-whisper brings its own

        self._tokenizer: Any = Tokenizer.from_file(str(file))

    def id(self, token: str) -> int | None:
        found = self._tokenizer.token_to_id(token)
        return None if found is None else int(found)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))

    def spelt(self, token: int) -> bytes:
        return bytes(_BYTES[character] for character in self._tokenizer.id_to_token(token))


class Tokens:
    """The tokenizer of one model. `multilingual` models have a token for each language and task in their prompts."""

    def __init__(self, alphabet: Alphabet, *, multilingual: bool) -> None:
        self._alphabet = alphabet
        self.multilingual = multilingual
        self.eot = self._id("<|endoftext|>")
        self._sot = self._id("<|startoftranscript|>")
        self._previous = self._id("<|startofprev|>")
        self._first_time = self._id("<|notimestamps|>") + 1

    def start(self, prompt: Prompt) -> list[int]:
        """The tokens after which decoding begins, without the text of the prompt."""
        if not self.multilingual:
            return [self._sot]
        if not self.knows(prompt.language):
            raise UnsupportedOption(f"The model does not know the language {prompt.language!r}.")
        return [self._sot, self._id(f"<|{prompt.language}|>"), self._id(f"<|{prompt.task}|>")]

    def prompt(self, prompt: Prompt) -> list[int]:
        """All tokens before the decoded ones; of a long text, the last words count, as with openai-whisper."""
        text = (prompt.text or "").strip()
        before = self.encode(" " + text)[-(LONGEST - 1) :] if text else []
        return [*([self._previous, *before] if before else []), *self.start(prompt)]

    def encode(self, text: str) -> list[int]:
        return self._alphabet.encode(text)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without timestamps and other marks."""
        return self._alphabet.decode([token for token in tokens if token < self.eot])

    def spelt(self, phrase: Phrase) -> list[bytes]:
        """What each text token of a phrase stands for, in order; together they are its text."""
        return [self._alphabet.spelt(token) for token in phrase.tokens if token < self.eot]

    def knows(self, code: str) -> bool:
        """Whether this model has a token for the language (large-v3 has one more than the others)."""
        return code in LANGUAGES and self._alphabet.id(f"<|{code}|>") is not None

    def phrases(self, tokens: Sequence[int], seconds: float) -> tuple[tuple[Phrase, ...], float | None]:
        """Cut decoded tokens at their timestamps; and the time from which the window must be decoded again, if any.

        A phrase ends with a timestamp and the next begins with one, so two in a row are a border. A window that ends in
        such a border, or in text without an end while an earlier phrase is whole, has more to say after it (the model
        stopped short, or ran out of tokens). What would last no time, or lies behind the audio, was never said.
        """
        marks = [index for index, token in enumerate(tokens) if token >= self._first_time]
        borders = [after for before, after in pairwise(marks) if after == before + 1]
        whole, rest = self._split(tokens, borders)
        resume = None
        if whole and (len(rest) == 1 or rest[-1] < self._first_time):
            opened = self._time(rest[0])
            if 0.0 < opened < seconds - 1.0:
                resume, rest = opened, []
        found = [self._phrase(part, seconds) for part in [*whole, rest] if part]
        return tuple(phrase for phrase in found if phrase.text.strip() and phrase.start < phrase.end), resume

    def words(self, phrase: Phrase, language: str) -> list[tuple[str, int]]:
        """The words of a phrase with how many tokens each takes; punctuation stays with its word."""
        tokens = [token for token in phrase.tokens if token < self.eot]
        pieces = self._pieces(tokens)
        return pieces if language in UNSPACED else _joined(pieces)

    def _pieces(self, tokens: Sequence[int]) -> list[tuple[str, int]]:
        """The smallest runs of tokens that are whole characters: a character may take several tokens."""
        pieces: list[tuple[str, int]] = []
        run: list[int] = []
        for index, token in enumerate(tokens):
            run.append(token)
            text = self.text(run)
            if "\ufffd" not in text or index == len(tokens) - 1:
                pieces.append((text, len(run)))
                run = []
        return pieces

    def _split(self, tokens: Sequence[int], borders: Sequence[int]) -> tuple[list[list[int]], list[int]]:
        parts = [list(tokens[a:b]) for a, b in zip([0, *borders], [*borders, len(tokens)], strict=True)]
        return parts[:-1], parts[-1]

    def _phrase(self, part: Sequence[int], seconds: float) -> Phrase:
        """A phrase from the tokens of one part; without a timestamp it lasts from the beginning, or to the end."""
        start = self._time(part[0]) if part[0] >= self._first_time else 0.0
        end = self._time(part[-1]) if part[-1] >= self._first_time and len(part) > 1 else seconds
        start = min(start, seconds)
        return Phrase(start, max(start, min(end, seconds)), tuple(part), self.text(part))

    def _time(self, token: int) -> float:
        return round((token - self._first_time) * TIME_STEP, 2)

    def _id(self, token: str) -> int:
        found = self._alphabet.id(token)
        if found is None:
            raise KeyError(f"the model's tokenizer has no {token}")
        return found


def _joined(pieces: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Join pieces into words: a word begins with a space, and punctuation goes with the word it belongs to."""
    words: list[tuple[str, int]] = []
    glue = False
    for text, count in pieces:
        bare = text.strip()
        starts = text.startswith(" ") and not (
            bare and all(mark in _TRAILING for mark in bare) and bare not in _LEADING
        )
        if words and (glue or not starts):
            words[-1] = (words[-1][0] + text, words[-1][1] + count)
        else:
            words.append((text, count))
        glue = bool(bare) and all(mark in _LEADING for mark in bare) and text.startswith(" ")
    return words
