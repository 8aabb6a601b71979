"""What is tried with a window, one after another, until it passes: pure, and without chance.

openai-whisper tries higher temperatures. But random numbers come from a thread's generator, so a text would depend on
what was decoded before it. Of windows that are too noisy to understand, such samples were no likelier to be right than
the first try; what they do is to get out of loops, and so does a decoder that may not repeat itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from whisper_transcriber.batching.gate import doubtful, left_out, passes, straight
from whisper_transcriber.domain.window import Heard
from whisper_transcriber.engine.port import Decoded

LADDER: Final = (0, 3)
"""Of each rung, how long a run of tokens is that may not come twice: `Sampling.no_repeat`."""

CUTS: Final = 2  # of one stretch: what is left of a sentence that is said three times may hold it twice


@dataclass(frozen=True)
class Cut:
    """Decode only what comes before this time, in seconds of the stretch; the rest comes later."""

    at: float


@dataclass(frozen=True)
class InFull:
    """Decode again from the full encoder input."""


@dataclass(frozen=True)
class Higher:
    """Decode again on the next rung of the ladder."""


@dataclass(frozen=True)
class Settled:
    """Nothing is tried any more."""


Move: TypeAlias = Cut | InFull | Higher | Settled


def move(tries: Sequence[Decoded], heard: Heard | None, rung: int, *, full: bool, may_cut: bool, once: bool) -> Move:
    """What comes after the last of `tries`, which was made on this rung.

    What lacks words is decoded again without what comes after a pause, where it `may_cut`; what did not pass from a
    short input, from the `full` one if that has not been. Only a text that repeats itself, or is too long, goes up the
    ladder: where the model is merely unsure, it does not help. `once`: as it was asked for, and no
    other way.
    """
    last = tries[-1]
    if may_cut and not full and not rung and (at := left_out(last, heard)) is not None:
        return Cut(at)
    if not full and doubtful(last, heard):
        return InFull()
    if once or passes(last, heard) or straight(last, heard) or rung + 1 == len(LADDER):
        return Settled()
    return Higher()
