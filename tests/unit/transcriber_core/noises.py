"""Sounds that are no speech, as samples at 16 kHz; the same ones every time."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float32]
_COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}


def noise(colour: str, seconds: float, level: float, seed: int = 1) -> Samples:
    """Noise whose root mean square is `level`; each colour has so much less of the high frequencies."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, count))
    frequency = np.maximum(np.arange(len(spectrum)), 1)
    wave = np.fft.irfft(spectrum / frequency ** _COLOURS[colour], count)
    return np.asarray(level * wave / np.std(wave), np.float32)


def hum(seconds: float, level: float) -> Samples:
    """Mains, with its third harmonic."""
    time = _time(seconds)
    return np.asarray(level * (np.sin(2 * np.pi * 50 * time) + 0.25 * np.sin(2 * np.pi * 150 * time)), np.float32)


def chords(seconds: int) -> Samples:
    """A piece of music: a chord each second, struck and dying away."""
    steps = np.random.default_rng(2).choice([0, 3, 5, 7, -2], seconds)
    time = _time(1)
    bars = []
    for step in steps:
        root = 220 * 2 ** (step / 12)
        tones = [
            np.sin(2 * np.pi * root * ratio * over * time) / over for ratio in (1, 1.26, 1.5) for over in range(1, 5)
        ]
        bars.append(0.08 * np.exp(-2 * time) * np.sum(tones, axis=0))
    return np.asarray(np.concatenate(bars), np.float32)


def dialling(digits: int) -> Samples:
    """A telephone's tones, each of two frequencies."""
    random = np.random.default_rng(3)
    time = _time(0.15)
    parts = []
    for _ in range(digits):
        low, high = random.choice([697, 770, 852, 941]), random.choice([1209, 1336, 1477])
        parts += [0.2 * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)), np.zeros(RATE // 10)]
    return np.asarray(np.concatenate(parts), np.float32)


def breathing(seconds: float) -> Samples:
    """Noise that swells and ebbs every four seconds."""
    swell = np.maximum(0, np.sin(2 * np.pi * _time(seconds) / 4)) ** 2
    return np.asarray(noise("pink", seconds, 0.1) * swell, np.float32)


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE
