"""What the engines are given: human speech with known words, as samples."""

import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from assets import speech
from assets.cache import cache_root, made_once

Samples = NDArray[np.float32]
_RATE = speech.SAMPLE_RATE
_SENTENCE = 5.0  # seconds; the longest sentence that recordings are made of
_PAUSE = np.zeros(_RATE // 2, np.float32)
_SHORTEST, _LONGEST = 60.0, 120.0  # seconds of the files that a corpus is joined to


@dataclass(frozen=True, eq=False)
class Recording:
    """Mono samples at 16 kHz, and the words in them; `told`: whether an engine is told the language."""

    samples: Samples
    text: str
    language: str = "en"
    name: str = ""
    told: bool = True

    @property
    def seconds(self) -> float:
        return len(self.samples) / _RATE

    @property
    def hint(self) -> str | None:
        return self.language if self.told else None


def clips(count: int, shortest: float = 5.0, longest: float = 30.0) -> list[Recording]:
    """Recordings whose lengths are spread over `shortest` to `longest` seconds, each of whole sentences with pauses."""
    sentences = [clip for clip in speech.sentences() if clip.seconds < _SENTENCE]
    supply = cycle(sentences)
    return [_recording(_taken(supply, length)) for length in np.linspace(shortest, longest - _SENTENCE, count)]


def mixed(count: int, shortest: float = 5.0, longest: float = 20.0) -> list[Recording]:
    """The same in turn of each language, and nobody says which it is."""
    supplies = {
        language: cycle([clip for clip in speech.sentences(language) if clip.seconds < _SENTENCE])
        for language in speech.LANGUAGES
    }
    lengths = np.linspace(shortest, longest - _SENTENCE, count)
    chosen = zip(cycle(speech.LANGUAGES), lengths, strict=False)
    return [replace(_recording(_taken(supplies[language], length)), told=False) for language, length in chosen]


def one_file(seconds: float) -> list[Recording]:
    """One recording of at least so many seconds."""
    clip = speech.long(seconds)
    return [Recording(_samples(clip.path), clip.text)]


def single(language: str, every: int = 1) -> list[Recording]:
    """Every so many-th sentence of a language, as a recording of its own."""
    clips = speech.sentences(language)[::every]
    return [Recording(_samples(clip.path), clip.text, language, f"{language}/{clip.name}") for clip in clips]


def joined(language: str, every: int = 1) -> list[Recording]:
    """The same sentences, each once, with pauses between them in files of one to two minutes."""
    left = iter(speech.sentences(language)[::every])
    lengths = cycle(np.linspace(_SHORTEST, _LONGEST, 4))
    files: list[Recording] = []
    while taken := _taken(left, next(lengths)):
        files.append(_recording(taken, f"{language}/file-{len(files)}"))
    return files


def sparse(seconds: float) -> Path:
    """A FLAC of so many seconds, in every minute of which somebody speaks for about ten: the same ten minutes again and
    again, so that a longer one has no larger windows than a shorter one."""
    name = f"ten-minutes-{seconds:g}"
    folder = made_once(cache_root() / "speech" / "long" / name, lambda to: _write_sparse(seconds, to / "audio.flac"))
    return folder / "audio.flac"


def _write_sparse(seconds: float, to: Path) -> None:
    sentences = cycle(speech.sentences())
    spoken = [_with_pauses([_samples(clip.path) for clip in _taken(sentences, 8.0)])[: 60 * _RATE] for _ in range(10)]
    minutes = [np.pad(samples, (0, 60 * _RATE - len(samples))) for samples in spoken]
    with av.open(str(to), "w") as container:
        stream = container.add_stream("flac", rate=_RATE, layout="mono")
        stream.codec_context.format = "s16"
        for minute, samples in zip(range(round(seconds / 60)), cycle(minutes), strict=False):
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts = _RATE, minute * len(samples)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _taken(sentences: Iterator[speech.Clip], enough: float) -> list[speech.Clip]:
    """Sentences until they and the pauses between them last `enough` seconds, or there are no more."""
    taken: list[speech.Clip] = []
    while sum(clip.seconds for clip in taken) + (len(taken) - 1) * len(_PAUSE) / _RATE < enough:
        if (clip := next(sentences, None)) is None:
            break
        taken.append(clip)
    return taken


def _recording(taken: Sequence[speech.Clip], name: str = "") -> Recording:
    samples = _with_pauses([_samples(clip.path) for clip in taken])
    return Recording(samples, " ".join(clip.text for clip in taken), taken[0].language, name)


def _with_pauses(parts: Sequence[Samples]) -> Samples:
    with_pauses = [part for each in parts for part in (each, _PAUSE)]
    return np.concatenate(with_pauses[:-1])


def _samples(wav: Path) -> Samples:
    with wave.open(str(wav), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)
