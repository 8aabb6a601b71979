"""How much memory a worker needs for its models and for what it has in hand."""

from collections.abc import Sequence
from typing import Final

from whisper_operator.api.v1alpha1.speech import SpeechModel

# MiB of weights in float16, by the first name that fits. Models of other names are taken for `small`.
_SIZES: Final = (
    ("tiny", 80),
    ("base", 150),
    ("small", 490),
    ("medium", 1540),
    ("turbo", 1630),
    ("distil-large", 1520),
    ("large", 3100),
)
_OTHER: Final = 490
_SCALE: Final = {"int8": 1.5, "float16": 2.0, "float32": 3.0}
"""Bytes in memory for each byte of the file: as they are computed with, and once more while they are laid out."""
_ON_GPU: Final = {"ctranslate2": 1.0, "openai-whisper": 2.0}
"""The same where they are computed with elsewhere: torch lays them out in float32 on the way."""
_WORKING: Final = 260  # MiB of a model's batches, whatever the model
_PROCESS: Final = 200  # MiB of the process and its libraries
_CLAIM: Final = 45  # MiB of a file in hand: its decoder, the part that is cut, windows on their way
CLAIMS: Final = 8
"""WHISPER_CLAIMS by default."""


def memory(models: Sequence[SpeechModel], *, gpu: bool = False, claims: int = CLAIMS) -> tuple[str, str]:
    """Request and limit for a worker that holds all these models at once, and so many files.

    The limit leaves room for what is rare: all files in hand being long ones, batches of the longest windows.
    """
    total = _PROCESS + claims * _CLAIM + sum(_of(model, gpu) for model in models)
    return f"{total}Mi", f"{max(2 * total, 2048)}Mi"


def _of(model: SpeechModel, gpu: bool) -> int:
    repository = model.source.hugging_face.repo if model.source and model.source.hugging_face else ""
    named = f"{model.name} {repository}".lower()
    size = next((size for name, size in _SIZES if name in named), _OTHER)
    return int(size * (_ON_GPU[model.engine] if gpu else _SCALE[_kind(model)])) + _WORKING


def _kind(model: SpeechModel) -> str:
    """The arithmetic that a worker without GPUs chooses where it is left to it."""
    if model.compute_type != "auto":
        return model.compute_type
    return "int8" if model.engine == "ctranslate2" else "float32"
