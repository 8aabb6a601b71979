"""From words in time to phrases: pure. What segments are made of where the model wrote no times of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from whisper_transcriber.engine.port import Phrase, Timed

_SENTENCE_ENDS: Final = (".", "?", "!", "…", "。", "？", "！", "।", "؟")  # noqa: RUF001
_CLOSING: Final = "\"'”’)]}»」』"  # noqa: RUF001  may follow the mark that ends a sentence
PAUSE: Final = 0.8
"""Seconds of silence after which a new phrase begins, whatever the punctuation says."""


def phrases(words: Sequence[Timed], tokens: Sequence[int]) -> Iterator[tuple[Phrase, Sequence[Timed]]]:
    """The words as phrases, each with its words: a phrase is a sentence, or what was said between two pauses.

    `tokens` are those of all words, in order; each word says how many are its own.
    """
    begun = at = 0
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else None
        if after is None or ends_sentence(word.word) or after.start - word.end >= PAUSE:
            own = words[begun : index + 1]
            count = sum(each.tokens for each in own)
            text = "".join(each.word for each in own)
            yield Phrase(own[0].start, own[-1].end, tuple(tokens[at : at + count]), text), own
            begun, at = index + 1, at + count


def ends_sentence(word: str) -> bool:
    """Whether a word is the last of its sentence, as far as its punctuation says: `home."` is, `3.5` is not."""
    return word.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS)
