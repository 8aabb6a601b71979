"""Log-mel spectrograms as Whisper was trained on them, in numpy."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples

N_FFT: Final = 400
HOP: Final = 160
FRAMES: Final = 3000  # 30 s
_LENGTH: Final = FRAMES * HOP


def log_mel(samples: Samples, mels: int, frames: int = FRAMES) -> NDArray[np.float32]:
    """The features of a window of at most 30 s, zero-padded before the transform: shape [mels, frames].

    `frames` below 3000 are the first ones of all 3000. The padding's spectrum is known to be empty, so only the part
    with sound is computed; the result is the same.
    """
    if len(samples) > _LENGTH:
        raise ValueError(f"a window is at most 30 s long, not {len(samples) / SAMPLE_RATE:.2f} s")
    if len(samples) > frames * HOP:
        raise ValueError(f"{frames} frames cannot hold {len(samples) / SAMPLE_RATE:.2f} s")
    sounding = min(frames * HOP, (len(samples) + N_FFT + HOP - 1) // HOP * HOP)
    audio = np.zeros(sounding, np.float32)
    audio[: len(samples)] = samples
    padded = np.pad(audio, N_FFT // 2, mode="reflect")
    slices = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][: sounding // HOP]
    power = np.abs(np.fft.rfft(slices * _hann(), axis=1)) ** 2
    mel = np.full((mels, frames), 1e-10, np.float32)
    mel[:, : sounding // HOP] = np.maximum(_filters(mels) @ power.T.astype(np.float32), 1e-10)
    logarithm = np.log10(mel)
    np.maximum(logarithm, logarithm.max() - 8.0, out=logarithm)
    return np.asarray((logarithm + 4.0) / 4.0, np.float32)


@cache
def _hann() -> NDArray[np.float32]:
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


@cache
def _filters(mels: int) -> NDArray[np.float32]:
    """Slaney's triangular filters, linear below 1 kHz and logarithmic above, of equal area: shape [mels, 201]."""
    bins = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    edges = _hertz(np.linspace(_mel(0.0), _mel(SAMPLE_RATE / 2), mels + 2))
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None], np.float32)


_LINEAR: Final = 200 / 3  # Hz in one mel, below 1 kHz
_KNEE: Final = 1000.0
_STEP: Final = float(np.log(6.4)) / 27


def _mel(hertz: float) -> float:
    return hertz / _LINEAR if hertz < _KNEE else _KNEE / _LINEAR + float(np.log(hertz / _KNEE)) / _STEP


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _KNEE / _LINEAR
    return np.where(mel < knee, mel * _LINEAR, _KNEE * np.exp(_STEP * (mel - knee)))
