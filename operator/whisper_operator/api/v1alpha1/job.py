"""TranscriptionJob: one audio file's way through a transcriber."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.names import JOB_KIND
from whisper_operator.api.v1alpha1.base import (
    UNIQUE,
    Lenient,
    LocalRef,
    Model,
    Resource,
    keyed,
    rules,
)
from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.api.v1alpha1.job_output import JobOutput
from whisper_operator.api.v1alpha1.job_source import JobSource
from whisper_operator.api.v1alpha1.speech import ModelName
from whisper_operator.api.v1alpha1.webhook import JobWebhook

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
FORMATS: tuple[Format, ...] = get_args(Format)

MUTABLE = ("cancel", "ttlSecondsAfterFinished")
_FIXED = (
    *("transcriberRef", "source", "model", "language", "languages", "task", "prompt", "keywords", "vad", "channels"),
    *("temperature", "wordTimestamps", "priority", "formats", "webhook", "output"),
)
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$", max_length=3)]
Keyword = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=100)]
_KEYWORD_BYTES = 400


class Vad(Model):
    """How speech is told from silence."""

    threshold: float | None = Field(
        None, ge=0, le=1, description="How likely speech must be to begin, 0 to 1. Default: 0.4."
    )
    silence_duration_ms: int | None = Field(
        None,
        ge=100,
        le=30_000,
        description="A silence of so many milliseconds is left out of what the model hears. Default: 3000.",
    )
    prefix_padding_ms: int | None = Field(
        None, ge=0, le=5_000, description="Milliseconds of audio that are kept before speech. Default: 400."
    )


_RULES = rules(
    ("!(has(self.language) && has(self.languages))", "spec.languages cannot be given beside spec.language"),
    *(
        (
            f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
            f"spec.{name} cannot be changed: make a new TranscriptionJob",
        )
        for name in _FIXED
    ),
    (
        "!oldSelf.?cancel.orValue(false) || self.?cancel.orValue(false)",
        "spec.cancel cannot be taken back: make a new TranscriptionJob",
    ),
)


class JobSpec(Model, json_schema_extra=_RULES):
    """What to transcribe, and how. Only cancel and ttlSecondsAfterFinished can be changed later."""

    transcriber_ref: LocalRef = Field(description="The WhisperTranscriber that does it, in the same namespace.")
    source: JobSource = Field(description="Where the audio is.")
    model: ModelName | None = Field(
        None, description="Name or alias of one of the transcriber's models. Default: its default model."
    )
    language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}$",
        max_length=3,
        description="Language spoken, as ISO 639 code such as en. Default: detected.",
    )
    languages: tuple[Language, ...] = Field(
        (),
        max_length=100,
        json_schema_extra=UNIQUE,
        description="The only languages that detection chooses among. Default: all that the model knows.",
    )
    task: Literal["transcribe", "translate"] = Field("transcribe", description="transcribe, or translate into English.")
    prompt: str | None = Field(
        None, max_length=4096, description="Text before the audio: names and spellings to expect. Default: none."
    )
    keywords: tuple[Keyword, ...] = Field(
        (),
        max_length=100,
        json_schema_extra=UNIQUE,
        description="Words that are likely to occur, 400 bytes in all. Default: none.",
    )
    vad: Vad | None = Field(None, description="How speech is told from silence. Default: as suits most recordings.")
    channels: Literal["mixed", "speakers"] = Field(
        "mixed",
        description="mixed down to one, or speakers: each channel (up to eight) is transcribed by itself, and what is "
        "said has the name of its speaker.",
    )
    temperature: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0 is beam search, the same every time, and once more without repetitions where the result is a "
        "loop; any other value samples at random, once.",
    )
    word_timestamps: bool = Field(False, description="Give each word its start and end.")
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first; -100 to 100.")
    formats: tuple[Format, ...] = Field(
        (),
        max_length=5,
        json_schema_extra=UNIQUE,
        description="Results that the status lists, and that go to output. Default: all of json, text, srt, vtt and "
        "verbose_json.",
    )
    webhook: JobWebhook | None = Field(
        None, description="Whom the transcriber tells of the job's end, signed as Standard Webhooks. Default: nobody."
    )
    output: JobOutput | None = Field(
        None, description="Where the result is written besides; the job succeeds once it is. Default: nowhere."
    )
    cancel: bool = Field(False, description="Stop the job; what is done by then is dropped. Cannot be taken back.")
    ttl_seconds_after_finished: int | None = Field(
        None,
        ge=0,
        le=10 * 365 * 86400,
        description="Seconds from the job's end to this object's deletion. Default: never.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.language is not None and self.languages:
            raise ValueError("languages cannot be given beside language")
        if len(", ".join(self.keywords).encode()) > _KEYWORD_BYTES:
            raise ValueError(f"keywords may have at most {_KEYWORD_BYTES} bytes all together")
        return self


class JobStatus(Lenient):
    """How far the job is."""

    observed_generation: int = Field(0, description="The metadata.generation that was last acted on; -1: none yet.")
    conditions: tuple[Condition, ...] = Field(
        (),
        max_length=16,
        json_schema_extra=keyed("type"),
        description="Succeeded: Unknown while it runs, then True or False; the reason says why. Reconciling: it is not "
        "at its end. Stalled: it failed.",
    )
    job_id: str | None = Field(None, description="The job's id in the transcriber's API.")
    progress: int | None = Field(None, ge=0, le=100, description="Percent done.")
    audio_seconds: float | None = Field(None, description="Length of the audio, in seconds.")
    processed_seconds: float | None = Field(None, description="Audio transcribed so far, in seconds.")
    language: str | None = Field(None, description="Language given or detected.")
    model: str | None = Field(None, description="Name of the model that did it.")
    model_digest: str | None = Field(None, description="SHA-256 of that model's weights.")
    engine: str | None = Field(None, description="Engine that ran the model.")
    real_time_factor: float | None = Field(
        None, description="Seconds of work for each second of audio; 0.1 is ten times faster than listening."
    )
    results: dict[str, str] = Field(
        {}, description="URLs of the results, by format; they need the transcriber's API key."
    )
    outputs: dict[str, str] = Field(
        {}, description="s3:// URLs of what was written to spec.output, by format, once all of it is."
    )
    start_time: datetime | None = Field(None, description="When a worker began.")
    completion_time: datetime | None = Field(None, description="When the job ended.")


class TranscriptionJob(Resource):
    """One audio file's way through a transcriber."""

    KIND: ClassVar[str] = JOB_KIND
    spec: JobSpec
    status: JobStatus | None = None
