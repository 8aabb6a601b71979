"""What a request may ask of a transcription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from whisper_transcriber.domain.languages import language_code

Task: TypeAlias = Literal["transcribe", "translate"]
Channels: TypeAlias = Literal["mixed", "speakers"]


class UnsupportedOption(ValueError):
    """An option has no meaning, or the model cannot honour it. The sender must change the request."""


@dataclass(frozen=True)
class Vad:
    """How speech is told from silence; None leaves it to the service.

    `threshold`: how likely speech must be (0..1) to begin. `silence_duration_ms`: a silence this long is left out of
    what the model hears. `prefix_padding_ms`: how much before speech it hears.
    """

    threshold: float | None = None
    silence_duration_ms: int | None = None
    prefix_padding_ms: int | None = None


KEYWORD_BYTES: Final = 400
"""The most bytes of all hotwords: the decoder looks back at 223 tokens at most, and these fit in any writing."""

# What the first version had; the others are written only where they are used, so that fingerprints stay what they were,
# and workers of the version before understand jobs that ask for nothing new.
_ALWAYS: Final = frozenset({"language", "task", "prompt", "temperature", "word_timestamps"})


@dataclass(frozen=True)
class Options:
    """How to transcribe one audio file.

    `language` is a Whisper code, or None to detect it in each window, among `languages` if there are any. `temperature`
    0 means: no chance in it, and once more without repetitions what is a loop; any other value: samples at random.
    `prompt` and `hotwords`, words that are likely to occur, are given to every window, so that each window's text
    depends on nothing but its own audio. `channels` are ``mixed`` down to one, or are ``speakers``, each transcribed by
    itself. `logprobs`: how likely each token was is wanted, too.
    """

    language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    temperature: float = 0.0
    word_timestamps: bool = False
    hotwords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    vad: Vad = Vad()
    channels: Channels = "mixed"
    logprobs: bool = False

    @property
    def apart(self) -> bool:
        """Whether the channels are kept apart."""
        return self.channels == "speakers"

    def speaking(self, language: str | None) -> Options:
        """The same for speech that is known to be in a language; None: as before."""
        return self if language is None else replace(self, language=language, languages=())

    @property
    def context(self) -> str | None:
        """The text that the decoder takes for what was said before; of a long one the end counts: hotwords are last."""
        words = ", ".join(self.hotwords) + "." if self.hotwords else ""
        return " ".join(part for part in ((self.prompt or "").strip(), words) if part) or None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; `from_dict` is its inverse. What is as it is by default may be left out."""
        plain = Options()
        return {
            name: value
            for name, value in asdict(self).items()
            if name in _ALWAYS or getattr(self, name) != getattr(plain, name)
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Options:
        """Read what this or an earlier version wrote. Raises TypeError for options that it does not know."""
        made = cls(**values)
        vad = made.vad if isinstance(made.vad, Vad) else Vad(**made.vad)
        return replace(made, hotwords=tuple(made.hotwords), languages=tuple(made.languages), vad=vad)


def checked(options: Options, *, multilingual: bool) -> Options:
    """The options with languages as codes, or `UnsupportedOption` where the model could not honour them."""
    code = None if options.language is None else _code(options.language)
    among = tuple(dict.fromkeys(_code(language) for language in options.languages))
    if code is not None and among:
        raise UnsupportedOption("Either language or languages can be asked for, not both.")
    if not 0.0 <= options.temperature <= 1.0:
        raise UnsupportedOption(f"The temperature must be between 0 and 1, not {options.temperature}.")
    if len(", ".join(options.hotwords).encode()) > KEYWORD_BYTES:
        raise UnsupportedOption(f"The keywords may have at most {KEYWORD_BYTES} bytes all together.")
    _check(options.vad)
    if not multilingual and (code not in (None, "en") or (among and "en" not in among)):
        wanted = options.language or ", ".join(options.languages)
        raise UnsupportedOption(f"The model knows only English and cannot transcribe {wanted!r}.")
    if not multilingual and options.task == "translate":
        raise UnsupportedOption("The model knows only English and cannot translate.")
    if len(among) == 1:
        code, among = among[0], ()
    return replace(options, language=code, languages=among)


def _check(vad: Vad) -> None:
    """Raises UnsupportedOption for a setting that has no meaning."""
    for name, value, least, most in (
        ("threshold", vad.threshold, 0, 1),
        ("silence_duration_ms", vad.silence_duration_ms, 100, 30_000),
        ("prefix_padding_ms", vad.prefix_padding_ms, 0, 5_000),
    ):
        if value is not None and not least <= value <= most:
            raise UnsupportedOption(f"The voice detector's {name} must be between {least} and {most}, not {value}.")


def _code(language: str) -> str:
    code = language_code(language)
    if code is None:
        raise UnsupportedOption(f"The language {language!r} is not one that Whisper knows.")
    return code
