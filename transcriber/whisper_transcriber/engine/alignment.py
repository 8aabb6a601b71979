"""From attention paths to words with times: pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

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


def cheapest_path(costs: NDArray[np.floating[Any]]) -> list[tuple[int, int]]:
    """The way from the first row and column to the last ones, in steps of one down, right or both, of the least cost.

    Dynamic time warping. Cells on a line across the matrix depend only on the two lines before it, so each line is
    computed at once: 200 tokens by 1500 frames take hundredths of a second, with nothing to compile.
    """
    height, width = costs.shape
    steps = np.zeros((height + width + 1, height + 1), np.int8)  # by line and row; 0 both, 1 down, 2 right
    older, line = np.full(height + 1, np.inf), np.full(height + 1, np.inf)
    older[0] = 0.0
    for number in range(2, height + width + 1):
        rows = np.arange(max(1, number - width), min(height, number - 1) + 1)
        before = np.stack([older[rows - 1], line[rows - 1], line[rows]])
        steps[number, rows] = before.argmin(axis=0)
        fresh = np.full(height + 1, np.inf)
        fresh[rows] = costs[rows - 1, number - rows - 1] + before.min(axis=0)
        older, line = line, fresh
    path, row, column = [], height, width
    while row > 0 and column > 0:
        path.append((row - 1, column - 1))
        step = int(steps[row + column, row])
        row, column = row - (step != 2), column - (step != 1)
    return path[::-1]


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
