"""Which language it is, of those that come into question, and which tokens are out of the question: pure."""

from __future__ import annotations

from collections.abc import Sequence

from whisper_transcriber.domain.options import UnsupportedOption
from whisper_transcriber.engine.port import Language


def likeliest(probabilities: Sequence[tuple[str, float]], among: Sequence[str] = ()) -> Language:
    """The likeliest of (code, probability), in any order; `among`, if any, are the only ones that count.

    Raises UnsupportedOption where the model has a probability for none of them.
    """
    left = [(code, each) for code, each in probabilities if not among or code in among]
    if not left:
        raise UnsupportedOption(f"The model knows none of the languages {', '.join(among)}.")
    code, most = max(left, key=lambda pair: pair[1])
    whole = sum(each for _, each in left)
    return Language(code, most / whole if whole else 1.0 / len(left))


def ending_again(said: Sequence[int], size: int) -> list[int]:
    """The tokens that would end a run of `size` tokens which is in `said` already."""
    if len(said) < size:
        return []
    last = list(said[len(said) - size + 1 :])
    starts = range(len(said) - size + 1)
    return [said[start + size - 1] for start in starts if list(said[start : start + size - 1]) == last]
