"""What a request may ask of a transcription."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from whisper_transcriber.domain.languages import language_code

Task: TypeAlias = Literal["transcribe", "translate"]


class UnsupportedOption(ValueError):
    """An option has no meaning, or the model cannot honour it. The sender must change the request."""


@dataclass(frozen=True)
class Options:
    """How to transcribe one audio file.

    `language` is a Whisper code, or None to detect it in each window. `temperature` 0 means: try 0, and go up the
    ladder to 1 for the windows that fail the quality gate; any other value is used as it is. `prompt` is given to every
    window, so that each window's text depends on nothing but its own audio.
    """

    language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    temperature: float = 0.0
    word_timestamps: bool = False


def checked(options: Options, *, multilingual: bool) -> Options:
    """The options with the language as a code, or `UnsupportedOption` where the model could not honour them."""
    code = None
    if options.language is not None:
        code = language_code(options.language)
        if code is None:
            raise UnsupportedOption(f"The language {options.language!r} is not one that Whisper knows.")
    if not 0.0 <= options.temperature <= 1.0:
        raise UnsupportedOption(f"The temperature must be between 0 and 1, not {options.temperature}.")
    if not multilingual and code not in (None, "en"):
        raise UnsupportedOption(f"The model knows only English and cannot transcribe {options.language!r}.")
    if not multilingual and options.task == "translate":
        raise UnsupportedOption("The model knows only English and cannot translate.")
    return replace(options, language=code)
