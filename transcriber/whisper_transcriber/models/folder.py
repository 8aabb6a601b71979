"""What a CTranslate2 Whisper model on disk consists of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

WANTED: Final = (
    "config.json",
    "model.bin",
    "preprocessor_config.json",
    "tokenizer.json",
    "vocabulary.json",
    "vocabulary.txt",
)
"""The files that are fetched; a repository may hold others (several formats of the same weights), which are not."""

_NEEDED: Final = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))


def missing_files(folder: Path) -> list[str]:
    """The files without which the folder is no model; empty when it is complete."""
    return [" or ".join(names) for names in _NEEDED if not any((folder / name).is_file() for name in names)]
