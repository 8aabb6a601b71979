"""What a hostile file is: how it is made, and what is right for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from unit.transcriber_core.media import Samples, encoded

LONGEST = 60.0
"""Seconds of audio that the corpus is decoded with."""


@dataclass(frozen=True)
class Bait:
    """What a file may try to reach: a port of this machine that listens, and a file that nobody may open."""

    port: int
    decoy: Path
    spoken: Samples
    """Real speech, mono, 16 kHz."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Made: TypeAlias = Callable[[Bait], bytes]


@dataclass(frozen=True)
class Refused:
    """Not one sample is usable; the message matches `why`."""

    why: str


@dataclass(frozen=True)
class Decoded:
    """Between `least` and `most` seconds come out, with a warning that matches, or with none."""

    least: float
    most: float
    warning: str | None = None


@dataclass(frozen=True)
class Hostile:
    """A file and what is right for it."""

    made: Made
    right: Refused | Decoded


NO_AUDIO = Refused("not audio in a format that is understood, or it is damaged")
NO_SAMPLE = Refused("not one sample of it can be decoded")
NO_STREAM = Refused("no streams|no audio stream")
NO_SUCH_RATE = Refused("sample rate of .* Hz, which no recording has")
NO_CODEC = Refused("codec that is not understood")
TOO_MUCH_MEMORY = Refused("needs more memory to decode than is allowed")
TOO_LONG = Refused("longer than the 60 seconds")
CUT = "ends early"
YEARS = "promises more than a week of audio"
DAMAGED = "is damaged|ends early"


def text(template: str) -> Made:
    """A text that may name the bait: {url}, {port}, {decoy}."""
    return lambda bait: template.format(url=bait.url, port=bait.port, decoy=bait.decoy).encode()


def speech(form: str, codec: str, first: float = 0, last: float = 1, **more: Any) -> Made:
    """Real speech in a real container, of which the part from `first` to `last` is kept."""

    def made(bait: Bait) -> bytes:
        data = encoded(form, codec, bait.spoken, **more)
        return data[int(first * len(data)) : int(last * len(data))]

    return made


def with_lie(make: Made, old: bytes, new: bytes) -> Made:
    """A file in which one thing is replaced."""

    def made(bait: Bait) -> bytes:
        data = make(bait)
        assert old in data, "the thing to lie about is not there"
        return data.replace(old, new, 1)

    return made
