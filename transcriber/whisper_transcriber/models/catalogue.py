"""The models that can be asked for by name alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Known:
    """A published CTranslate2 conversion; `digest` is that of its model.bin where the project has seen the file."""

    repo: str
    digest: str | None = None


CATALOGUE: Final[dict[str, Known]] = {
    "tiny": Known("Systran/faster-whisper-tiny"),
    "tiny.en": Known(
        "Systran/faster-whisper-tiny.en",
        "sha256:1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "base": Known(
        "Systran/faster-whisper-base",
        "sha256:d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "base.en": Known("Systran/faster-whisper-base.en"),
    "small": Known("Systran/faster-whisper-small"),
    "small.en": Known("Systran/faster-whisper-small.en"),
    "medium": Known("Systran/faster-whisper-medium"),
    "medium.en": Known("Systran/faster-whisper-medium.en"),
    "large-v1": Known("Systran/faster-whisper-large-v1"),
    "large-v2": Known("Systran/faster-whisper-large-v2"),
    "large-v3": Known("Systran/faster-whisper-large-v3"),
    "large": Known("Systran/faster-whisper-large-v3"),
    "large-v3-turbo": Known("mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    "turbo": Known("mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    "distil-small.en": Known("Systran/faster-distil-whisper-small.en"),
    "distil-medium.en": Known("Systran/faster-distil-whisper-medium.en"),
    "distil-large-v2": Known("Systran/faster-distil-whisper-large-v2"),
    "distil-large-v3": Known("Systran/faster-distil-whisper-large-v3"),
    "distil-large-v3.5": Known("distil-whisper/distil-large-v3.5-ct2"),
}
