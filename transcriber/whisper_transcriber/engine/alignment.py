"""From attention paths to words with times: pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from whisper_transcriber.engine.port import TIME_STEP, Timed

_SENTENCE_END: Final = tuple(".。!！?？")  # noqa: RUF001
_LONGEST_TYPICAL: Final = 0.7  # seconds


def timed_words(
    words: Sequence[tuple[str, int]], path: Sequence[tuple[int, int]], probabilities: Sequence[float]
) -> list[Timed]:
    """The words of a window in time.

    `words` are (text, tokens); `path` is the alignment, (token, encoder frame) pairs in order that end with the
    end-of-text token; `probabilities` has one for each token. A token begins at the first frame it is paired with.
    """
    begins: list[float] = []
    for token, frame in path:
        while len(begins) <= token:
            begins.append(frame * TIME_STEP)
    timed: list[Timed] = []
    at = 0
    for text, count in words:
        after = at + count
        start = begins[min(at, len(begins) - 1)] if begins else 0.0
        end = begins[min(after, len(begins) - 1)] if begins else 0.0
        own = probabilities[at:after]
        timed.append(Timed(text, start, max(start, end), sum(own) / len(own) if own else 0.0, count))
        at = after
    return shortened(timed)


def shortened(words: Sequence[Timed]) -> list[Timed]:
    """Words at the borders of sentences cut to twice the median length: attention stretches them over the pause."""
    lengths = [word.end - word.start for word in words if word.end > word.start]
    if not lengths:
        return list(words)
    longest = 2 * min(_LONGEST_TYPICAL, median(lengths))
    result: list[Timed] = []
    for index, word in enumerate(words):
        start, end = word.start, word.end
        if end - start > longest:
            if index == 0 or words[index - 1].word.rstrip().endswith(_SENTENCE_END):
                start = end - longest
            elif word.word.rstrip().endswith(_SENTENCE_END) or index == len(words) - 1:
                end = start + longest
        result.append(Timed(word.word, round(start, 2), round(end, 2), word.probability, word.tokens))
    return result
