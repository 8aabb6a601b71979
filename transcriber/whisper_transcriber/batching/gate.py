"""Is a decoded window good enough, was there speech at all, and which of several tries is best: pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from whisper_transcriber.engine.port import Decoded

LADDER: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Temperatures, tried in this order until a window passes."""

MOST_REPETITIVE: Final = 2.4  # compression ratio; above it the decoder is in a loop
LEAST_LOGPROB: Final = -1.0
SILENCE: Final = 0.6  # probability of no speech


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes the text; speech is near 1.5, a loop far above."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def silent(decoded: Decoded) -> bool:
    """Whether the window holds no speech: the model says so, and what it decoded all the same is unlikely."""
    return decoded.no_speech_prob > SILENCE and decoded.avg_logprob < LEAST_LOGPROB


def passes(decoded: Decoded) -> bool:
    """Whether the window need not be tried again."""
    if silent(decoded):
        return True
    return compression_ratio(decoded.text.strip()) <= MOST_REPETITIVE and decoded.avg_logprob >= LEAST_LOGPROB


def best(tries: Sequence[Decoded]) -> Decoded:
    """The last try if it passed; else the likeliest that is not a loop; else the likeliest."""
    if passes(tries[-1]):
        return tries[-1]
    straight = [each for each in tries if compression_ratio(each.text.strip()) <= MOST_REPETITIVE]
    return max(straight or tries, key=lambda each: each.avg_logprob)
