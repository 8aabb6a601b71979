"""From a stream of samples to parts that are kept by themselves, and from a part back to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.parts import Part, PartRules, part_end, part_of, samples_at
from whisper_transcriber.domain.window import FRAME

Pcm: TypeAlias = NDArray[np.int16]
"""Samples as they are kept: signed 16 bit, shape [samples] or [samples, channels].

Audio that was 16 kHz and 16 bit comes back as it was."""

_SCALE: Final = 32768


class Kept:
    """The samples of a short file, decoded once and read as often as is needed; `warning` as the decoder gave it."""

    def __init__(self, blocks: Sequence[Samples], warning: str | None = None) -> None:
        self._blocks = blocks
        self.seconds = sum(map(len, blocks)) / SAMPLE_RATE
        self.warning = warning

    def __iter__(self) -> Iterator[Samples]:
        return iter(self._blocks)


def beginning(blocks: Iterable[Samples], rules: PartRules, most: float = 60.0) -> tuple[bool, list[Samples] | None]:
    """Whether a stream is long enough for parts, and its blocks if it has ended within `most` seconds.

    Reads to the end of a file that is not long. Memory stays flat: of more than `most` seconds nothing is kept.
    """
    kept: list[Samples] | None = []
    count = 0
    for block in blocks:
        count += len(block)
        if count > rules.longest * FRAME:
            return True, None
        if count > most * SAMPLE_RATE:
            kept = None
        if kept is not None:
            kept.append(block)
    return False, kept


def parts(blocks: Iterable[Samples], rules: PartRules, last: Part | None = None) -> Iterator[tuple[Part, Pcm]]:
    """Cut a stream into parts, each with its samples; `last` is the last one that is there already.

    Parts follow one another without gap or overlap; channels that are kept apart are cut at the same places. The same
    samples give the same parts, however they are divided into blocks and wherever somebody goes on. Holds little more
    than one and a half parts of samples at a time, in one piece for the whole file: what thousands of small blocks
    leave in the heap of each thread that runs this is never given back.
    """
    number, start = (0, 0) if last is None else (last.number + 1, samples_at(last.end))
    held: Pcm | None = None
    count = 0
    for block in _after(blocks, start):
        held = _room(held, count, rules.longest * FRAME, block)
        held[count : count + len(block)] = _pcm(block)
        count += len(block)
        while count > rules.longest * FRAME:
            size = part_end(_energy(held[:count], rules.search), rules) * FRAME
            yield part_of(number, start, start + size), held[:size].copy()
            held[: count - size] = held[size:count].copy()
            number, start, count = number + 1, start + size, count - size
    if held is not None and count:
        yield part_of(number, start, start + count), held[:count]


def pcm_bytes(audio: Pcm) -> bytes:
    """Samples as the bytes that are kept: of channels kept apart, a sample of each in turn."""
    return audio.astype("<i2", copy=False).tobytes()


def blocks_of(kept: bytes | bytearray, part: Part | None = None) -> Iterator[Samples]:
    """The bytes of a part as blocks of samples, a second each but for the last.

    With `part`, channels are kept apart: there are as many as there are samples for each moment of it.
    """
    audio = np.frombuffer(kept, dtype="<i2")
    if part is not None:
        audio = audio.reshape(samples_at(part.end) - samples_at(part.start), -1)
    for start in range(0, len(audio), SAMPLE_RATE):
        yield audio[start : start + SAMPLE_RATE].astype(np.float32) / np.float32(_SCALE)


def _after(blocks: Iterable[Samples], start: int) -> Iterator[Samples]:
    """The blocks without the first `start` samples."""
    for block in blocks:
        if start < len(block):
            yield block[start:]
        start = max(0, start - len(block))


def _room(held: Pcm | None, count: int, longest: int, block: Samples) -> Pcm:
    """`held` with its first `count` samples, with room for `longest` and the block."""
    if held is not None and count + len(block) <= len(held):
        return held
    made = np.empty((max(longest, count) + len(block), *block.shape[1:]), np.int16)
    if held is not None:
        made[:count] = held[:count]
    return made


def _pcm(samples: Samples) -> Pcm:
    return np.clip(np.rint(samples * _SCALE), -_SCALE, _SCALE - 1).astype(np.int16)


def _energy(audio: Pcm, frames: range) -> list[int]:
    """The sum of squares in each of these frames: whole numbers, so that every processor agrees on them."""
    whole = audio[frames.start * FRAME : frames.stop * FRAME].reshape(len(frames), -1).astype(np.int64)
    return [int(value) for value in np.sum(whole * whole, axis=1)]
