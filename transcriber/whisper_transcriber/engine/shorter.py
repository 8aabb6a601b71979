"""How much silence the encoder is shown after a window: pure. Whisper was trained on 30 s, but few windows are so long.

What the encoder costs grows with its input, so an input that ends soon after the audio is cheaper by as much. Some
weights lose or invent words then; a model has the short input only where that was measured not to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from whisper_transcriber.domain.languages import LANGUAGES
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.engine.features import FRAMES, HOP

TAIL: Final = (
    200  # frames of silence left after the audio, 2 s: with 1 s the word error rate of `base` was 5 points worse
)
_STEP: Final = 200  # frames; windows whose inputs are equally long can share a batch

LONGEST_SHORT: Final = 15.0
"""Seconds of a window for a short input. What attention costs grows with the square of the input, and shorter windows
share more of the decoder's work; but with less around it, `base` understands less (docs/benchmarks.md has the figures).

Languages that are not decoded from a short input have 30 s where it is known which one it is."""
_NEARLY_FULL: Final = FRAMES - 200  # from here on there is too little to gain

SURE_ON_SHORT: Final = 0.9
"""Probability from which a language is believed that was detected on a short input. In 52 human clips of 2 to 10 s in
five languages, `base` (int8) was wrong twice on the short input, at 0.54 and 0.74, and right on the full one."""

PROVEN: Final[Mapping[str, frozenset[str]]] = {
    "sha256:d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9": frozenset({"en"}),  # base
}
"""Weights, and the languages in which their word error rate on a short input was measured to be that on the full one.

Not French for `base`: in one of four clips it went on after the last word ("dièse" became "dies-de-de-de-de-de").
"""


def short_languages(spec: ModelSpec, digest: str, device: str) -> frozenset[str]:
    """The languages that a model decodes from short input; with none of them it has no short input at all.

    As its spec says, else on processors those that are proven: a GPU encodes 30 s in little more than the time that it
    takes to start, and wants rows of one length in its batches.
    """
    if spec.encoder_input == "auto":
        return PROVEN.get(digest, frozenset()) if device == "cpu" else frozenset()
    return frozenset(LANGUAGES) if spec.encoder_input == "short" else frozenset()


def input_frames(samples: int, *, short: bool) -> int:
    """The frames of encoder input for a window of so many samples at 16 kHz: all 3000, or the audio and its tail."""
    if not short:
        return FRAMES
    wanted = -(-samples // HOP) + TAIL
    rounded = -(-wanted // _STEP) * _STEP
    return FRAMES if rounded >= _NEARLY_FULL else rounded
