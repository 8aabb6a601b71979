"""The answers of OpenAI's endpoints, for the OpenAPI document; `render` writes them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from whisper_transcriber.domain.options import Task


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Usage(_Body):
    """What was transcribed, in whole seconds, rounded up."""

    type: Literal["duration"]
    seconds: int


class Logprob(_Body):
    """A token of the text."""

    token: str = Field(description="U+FFFD stands for bytes that are only a part of a character")
    bytes: list[int]
    logprob: float = Field(le=0, description="After the tokens before it, without timestamps")


class Transcription(_Body):
    """`json`."""

    text: str
    usage: Usage
    logprobs: list[Logprob] = Field([], description="With `include[]=logprobs`; together they are the text")


class _Stretch(_Body):
    start: float
    end: float
    channel: int = Field(1, description="With `channels=speakers`")
    speaker: str = Field("", description="With `channels=speakers`")


class TranscriptWord(_Stretch):
    """A word; times in seconds of the file."""

    word: str


class TranscriptSegment(_Stretch):
    """A phrase; times in seconds of the file, the figures as openai-whisper defines them."""

    id: int
    seek: int
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(_Body):
    """`verbose_json`."""

    task: Task
    language: str = Field(description="The English name")
    duration: float
    text: str
    segments: list[TranscriptSegment] = Field([], description="Unless only words were asked for")
    words: list[TranscriptWord] = Field([], description="With `timestamp_granularities[]=word`")
    usage: Usage
    model: str
    model_digest: str
    engine: str


_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript in the format that was asked for; with `stream=true` its events",
        "model": Transcription | VerboseTranscription,
        "content": dict.fromkeys(("text/plain", "application/x-subrip", "text/vtt", "text/event-stream"), _TEXT),
    }
}
