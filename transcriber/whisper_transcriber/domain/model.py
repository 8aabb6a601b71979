"""Which model to use and where it comes from: the values in ``WHISPER_MODELS`` and in ``spec.models``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

EngineName: TypeAlias = Literal["ctranslate2", "openai-whisper"]


class ModelUnavailable(Exception):
    """The model cannot be had as it was asked for; the message says what to change."""


class BrokenEngine(Exception):
    """The engine fails at what it always could do: its device is lost, and only a new process may help.

    `suspect`: it broke at the very window that is told so, which may be why.
    """

    def __init__(self, message: str, *, suspect: bool) -> None:
        super().__init__(message)
        self.suspect = suspect


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class HuggingFace(_Value):
    """A repository of the Hugging Face hub (or of the mirror in ``HF_ENDPOINT``) with a model in it."""

    repo: str = Field(min_length=1, description="Repository, e.g. Systran/faster-whisper-small.")
    revision: str | None = Field(None, description="Branch, tag or commit; the default branch if absent.")


class S3(_Value):
    """A folder of an S3 bucket; endpoint and keys come from the usual ``AWS_*`` environment."""

    uri: str = Field(pattern=r"^s3://[^/]+(/.*)?$", description="Folder with the model's files, s3://bucket/prefix.")


class Source(_Value):
    """Where a model's files are: exactly one of the three."""

    hugging_face: HuggingFace | None = None
    s3: S3 | None = None
    path: str | None = Field(None, min_length=1, description="Folder in the worker's file system (a mounted PVC).")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("hugging_face", "s3", "path") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("source takes exactly one of huggingFace, s3 and path")
        return self


class ModelSpec(_Value):
    """One model that a worker can serve.

    Without a `source` the name is looked up among the preloaded folders and in the catalogue of known names. `digest`
    is the SHA-256 of the file with the weights; what does not match it is never loaded. `encoder_input`: ``full`` shows
    the encoder 30 s whatever the length of a window; ``short`` the window and 2 s of silence, which is faster the
    shorter the window, and costs some weights accuracy in some languages; ``auto`` is ``short`` where that is known to
    cost none.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)
    aliases: tuple[str, ...] = ()
    source: Source | None = None
    digest: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}$")
    compute_type: Literal["auto", "int8", "float16", "float32"] = "auto"
    engine: EngineName = "ctranslate2"
    encoder_input: Literal["auto", "full", "short"] = "auto"

    def answers_to(self, name: str) -> bool:
        """Whether a request that names this model means it."""
        return name == self.name or name in self.aliases


@dataclass(frozen=True)
class ModelFiles:
    """A complete model on disk: its folder, and the file in it that holds the weights, with its ``sha256:…``."""

    path: Path
    digest: str
    weights: str = "model.bin"
