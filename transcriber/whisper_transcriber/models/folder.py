"""What a Whisper model on disk consists of, in the forms that the engines load."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from whisper_transcriber.domain.model import EngineName

CONVERTED: Final = "model.bin"
_CHECKPOINT: Final = "*.pt"
_CONVERTED: Final = (
    "config.json",
    CONVERTED,
    "preprocessor_config.json",
    "tokenizer.json",
    "vocabulary.json",
    "vocabulary.txt",
)
_NEEDED: Final = ((CONVERTED,), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))


class NoModel(Exception):
    """A folder is no model for the engine; the message says what it lacks and what to do about it."""


def wanted(engine: EngineName) -> tuple[str, ...]:
    """Patterns of the files that are fetched; a repository may hold others (weights in more formats), which are not."""
    return (*_CONVERTED, _CHECKPOINT) if engine == "openai-whisper" else _CONVERTED


def weights_in(folder: Path, engine: EngineName) -> str:
    """The name of the file that the engine loads from a folder. Raises NoModel.

    CTranslate2 wants a model converted for it. openai-whisper takes its own checkpoint, the folder's only `.pt`, or
    where there is none, a converted model: the weights in it are the same.
    """
    lacking = [" or ".join(names) for names in _NEEDED if not any((folder / name).is_file() for name in names)]
    checkpoints = sorted(path.name for path in folder.glob(_CHECKPOINT) if path.is_file())
    if engine == "openai-whisper" and checkpoints:
        if len(checkpoints) > 1:
            raise NoModel(f"has several checkpoints ({', '.join(checkpoints)}): keep the one that is meant.")
        return checkpoints[0]
    if not lacking:
        return CONVERTED
    if engine == "openai-whisper":
        raise NoModel(
            f"is neither a checkpoint of openai-whisper (one .pt) nor a CTranslate2 model (it lacks "
            f"{', '.join(lacking)}): point `source` at one of these."
        )
    if checkpoints:
        raise NoModel(
            f"is a checkpoint of openai-whisper ({', '.join(checkpoints)}), not a CTranslate2 model: set `engine` to "
            "openai-whisper, or convert it."
        )
    raise NoModel(
        f"is not a CTranslate2 model: it lacks {', '.join(lacking)}. Convert it with ct2-transformers-converter, or "
        "point `source` at a converted one."
    )
