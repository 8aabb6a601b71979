"""Human speech with known words in five languages: the prompts of Asterisk, as Debian packages them (CC BY-SA 3.0).

The recordings are raw G.722 (16 kHz); they are unpacked and decoded to 16-bit WAV once, into the cache.
"""

import functools
import gzip
import json
import shutil
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from assets import debian
from assets.cache import cache_root, made_once, say
from assets.prompts import parse

LANGUAGES: Final = ("en", "es", "fr", "it", "ru")
SAMPLE_RATE: Final = 16_000
_PAUSE: Final = 0.5
"""Seconds of silence between the prompts of a long clip."""


@dataclass(frozen=True)
class Clip:
    """A recording of human speech: 16 kHz, 16-bit, mono WAV."""

    path: Path
    text: str
    """The words as the packages' authors wrote them: mind case, punctuation and figures when comparing."""
    language: str
    seconds: float
    name: str


def prompt(name: str, language: str = "en") -> Clip:
    """One prompt, for example `demo-congrats` or `digits/3`; KeyError when there is none with speech and a text."""
    return {clip.name: clip for clip in prompts(language)}[name]


@functools.cache
def prompts(language: str = "en") -> list[Clip]:
    """All prompts of a language that are speech, in the order of their names."""
    if language not in LANGUAGES:
        raise ValueError(f"no prompts in {language!r}: there are {', '.join(LANGUAGES)}")
    folder = made_once(cache_root() / "speech" / language, lambda to: _make(language, to))
    index = json.loads((folder / "index.json").read_text())
    return [Clip(folder / f"{e['name']}.wav", e["text"], language, e["seconds"], e["name"]) for e in index]


def sentences(language: str = "en") -> list[Clip]:
    """The prompts that are whole utterances, four words and two seconds or more: single words judge no recogniser."""
    return [clip for clip in prompts(language) if clip.seconds >= 2 and len(clip.text.split()) >= 4]


def long(seconds: float, language: str = "en", first: int = 0) -> Clip:
    """At least `seconds` of speech: sentences joined with pauses of half a second, from the start again if needed.

    `first` is the sentence that it begins with.
    """
    name = f"{language}-{seconds:g}" + (f"-from-{first}" if first else "")
    folder = made_once(cache_root() / "speech" / "long" / name, lambda to: _join(seconds, language, first, to))
    index = json.loads((folder / "index.json").read_text())
    return Clip(folder / "long.wav", index["text"], language, index["seconds"], f"long-{seconds:g}")


def call(left: Clip, right: Clip, to: Path) -> Path:
    """Two people who speak at the same time, on a channel each: a stereo WAV at `to`, as long as the longer one."""
    spoken = []
    for clip in (left, right):
        with wave.open(str(clip.path), "rb") as source:
            spoken.append(np.frombuffer(source.readframes(source.getnframes()), "<i2"))
    both = np.zeros((max(map(len, spoken)), 2), "<i2")
    for number, samples in enumerate(spoken):
        both[: len(samples), number] = samples
    with wave.open(str(to), "wb") as target:
        target.setparams((2, 2, SAMPLE_RATE, 0, "NONE", ""))
        target.writeframes(both.tobytes())
    return to


def _join(seconds: float, language: str, first: int, to: Path) -> None:
    clips = sentences(language)
    clips = clips[first:] + clips[:first]
    texts: list[str] = []
    frames = 0
    with wave.open(str(to / "long.wav"), "wb") as target:
        target.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        while frames < seconds * SAMPLE_RATE:
            clip = clips[len(texts) % len(clips)]
            with wave.open(str(clip.path), "rb") as source:
                target.writeframes(source.readframes(source.getnframes()))
            target.writeframes(bytes(2 * int(_PAUSE * SAMPLE_RATE)))
            texts.append(clip.text)
            frames = target.tell()
    (to / "index.json").write_text(json.dumps({"text": " ".join(texts), "seconds": frames / SAMPLE_RATE}))


def _make(language: str, folder: Path) -> None:
    started = time.monotonic()
    say(f"speech: fetching the {language} prompts from Debian")
    root = debian.unpack([f"asterisk-core-sounds-{language}", f"asterisk-core-sounds-{language}-g722"], folder)
    (document,) = root.glob("usr/share/doc/*/core-sounds-*.txt.gz")
    (voice,) = root.glob("usr/share/asterisk/sounds/*")
    index = []
    for name, text in sorted(parse(gzip.decompress(document.read_bytes()).decode()).items()):
        if (recording := voice / f"{name}.g722").exists():
            seconds = decode_g722(recording, folder / f"{name}.wav")
            index.append({"name": name, "text": text, "seconds": seconds})
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False))
    shutil.rmtree(root)
    say(f"speech: {len(index)} {language} prompts are ready after {time.monotonic() - started:.0f} s")


def decode_g722(recording: Path, to: Path) -> float:
    """Raw G.722 -> WAV; returns its seconds."""
    with av.open(str(recording), format="g722") as container:
        samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])
    to.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(to), "wb") as target:
        target.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        target.writeframes(samples.astype("<i2").tobytes())
    return len(samples) / SAMPLE_RATE
