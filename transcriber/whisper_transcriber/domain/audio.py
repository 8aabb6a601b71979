"""Audio as the whole package knows it: mono float32 samples in [-1, 1] at 16 kHz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[np.float32]
    """One-dimensional mono audio at `SAMPLE_RATE`."""
else:
    Samples = Any  # the API's image reads these modules too, and carries no numpy

SAMPLE_RATE: Final = 16_000
"""Samples a second. Whisper hears nothing else."""


class InvalidAudio(Exception):
    """The file holds no audio that can be transcribed; the message says why. The sender must send another file."""


class AudioTooLong(InvalidAudio):
    """The file holds more audio than the service accepts."""
