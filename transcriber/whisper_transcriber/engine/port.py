"""What an inference engine must do, always on batches: encode, detect, decode, align.

An encoded window is a row of its own, not a slice of the batch it was encoded in. So rows of different requests can
meet in any later step: language detection, decoding, the next try of those that failed the quality gate, alignment.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Task

WINDOW_SECONDS = 30.0
"""What the encoder sees at once; shorter audio is padded with silence."""

TIME_STEP = 0.02
"""Seconds between two timestamp tokens."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """One encoded window. `states` belongs to the engine that made it; `seconds` is its audio without padding."""

    states: Any
    seconds: float


@dataclass(frozen=True)
class Language:
    """A language code and how sure the model is of it (0..1)."""

    code: str
    probability: float


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; one for a whole decode batch.

    At temperature 0 it is beam search with `beam_size`; above, the best of `best_of` random samples. No run of
    `no_repeat` tokens comes twice in a row's text; with 0 any may.
    """

    temperature: float = 0.0
    beam_size: int = 5
    best_of: int = 5
    no_repeat: int = 0


@dataclass(frozen=True)
class Prompt:
    """What a window is decoded under: its language and task, and words that may occur in it."""

    language: str
    task: Task = "transcribe"
    text: str | None = None


@dataclass(frozen=True)
class Phrase:
    """A stretch of decoded tokens between two timestamps; `start` and `end` in seconds of the window."""

    start: float
    end: float
    tokens: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Decoded:
    """What was decoded from one row.

    `avg_logprob` and `no_speech_prob` as openai-whisper defines them. `resume` is the time in the window from which
    there is more to decode, because the model opened a phrase that it did not finish; None where it was done. `short`:
    the encoder was shown less than 30 s, and what it is in doubt about is worth another look with all of them.
    """

    phrases: tuple[Phrase, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    resume: float | None = None
    short: bool = False


@dataclass(frozen=True)
class Timed:
    """A word (with its leading space) and its place in the window, in seconds.

    `spelt` has what each of its tokens stands for, in UTF-8, and the token's probability after those before it.
    """

    word: str
    start: float
    end: float
    probability: float
    tokens: int
    spelt: tuple[tuple[bytes, float], ...] = ()


class Engine(Protocol):
    """A loaded model. All methods block, may be called from any thread, and release the GIL while they compute."""

    @property
    def name(self) -> str:
        """The engine, e.g. ``ctranslate2``."""

    @property
    def model(self) -> str:
        """The model's name, as users ask for it."""

    @property
    def digest(self) -> str:
        """``sha256:…`` of the loaded weights."""

    @property
    def device(self) -> str:
        """What it computes on: ``cpu``, or ``cuda``."""

    @property
    def multilingual(self) -> bool:
        """False for an English-only model."""

    def longest(self, language: str | None) -> float:
        """Seconds of the windows that suit it best in a language (None: not known yet); it takes up to 30 s."""

    @property
    def lanes(self) -> int:
        """How many calls are computed side by side; more are queued. Above 1, single rows do better than batches."""

    def encode_key(self, samples: int) -> Hashable:
        """Windows of so many samples whose keys are equal gain from being in the same calls."""

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        """One row for each window of at most 30 s; windows may differ in length.

        `full`: with silence up to 30 s, where the engine would make do with less.
        """

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        """The most likely language of each row; English, surely, for an English-only model.

        `among` are the only codes that come into question, and how sure the model is is how sure among these. Raises
        UnsupportedOption where it knows none of them.
        """

    def decode_key(self, prompt: Prompt) -> Hashable:
        """Rows whose prompts have the same key, and that are sampled alike, may share one call of `decode`."""

    def decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        """Decode rows under prompts of one `decode_key`, with timestamps."""

    def align_key(self, prompt: Prompt) -> Hashable:
        """Rows whose prompts have the same key may share one call of `align`."""

    def align(
        self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
    ) -> list[list[list[Timed]]]:
        """The words of each phrase of each row, in order and in time; prompts of one `align_key`."""
