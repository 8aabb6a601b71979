"""OpenAI's `chunking_strategy`: `auto`, or how its server_vad is to tell speech from silence."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from whisper_transcriber.domain.options import Vad

NAME = "chunking_strategy"


class ServerVad(BaseModel):
    """How speech is told from silence; what is left out is up to the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["server_vad"]
    threshold: float | None = Field(None, ge=0, le=1, description="How likely speech must be to begin")
    silence_duration_ms: int | None = Field(None, ge=100, le=30_000, description="A silence so long is left out")
    prefix_padding_ms: int | None = Field(None, ge=0, le=5_000, description="Audio that is kept before speech")

    @property
    def vad(self) -> Vad:
        """The same as an option of a transcription."""
        return Vad(self.threshold, self.silence_duration_ms, self.prefix_padding_ms)


def _read(value: Any) -> Any:
    """`auto` as None, and a JSON object in a string, as forms have it, as an object."""
    if not isinstance(value, str):
        return value
    if value == "auto":
        return None
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError('it must be "auto" or an object of the type server_vad')
    return found


ChunkingStrategy: TypeAlias = Annotated[
    ServerVad | None, BeforeValidator(_read, json_schema_input_type=str | ServerVad)
]


def joined(fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The fields of a form, with those called `chunking_strategy[…]` as the one object that they are parts of."""
    parts = {name: name[len(NAME) + 1 : -1] for name in fields if name.startswith(f"{NAME}[") and name.endswith("]")}
    if not parts:
        return dict(fields)
    rest = {name: values for name, values in fields.items() if name not in parts}
    return {**rest, NAME: {part: fields[name][0] for name, part in parts.items()}, **_both(rest)}


def _both(rest: Mapping[str, Any]) -> dict[str, Any]:
    # Whole and in parts at once is neither: what stays is no object, and is refused as such.
    return {NAME: "both"} if NAME in rest else {}
