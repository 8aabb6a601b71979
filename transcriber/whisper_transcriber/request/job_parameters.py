"""What `POST /v1/jobs` may be asked, by form or by JSON: where the audio is, the options, and how the job is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from whisper_transcriber.deps import Catalogue
from whisper_transcriber.domain.job import JobRequest
from whisper_transcriber.domain.outputs import URL, Output
from whisper_transcriber.domain.webhooks import EVENTS, Event, Webhook
from whisper_transcriber.render import FORMATS, Format
from whisper_transcriber.request.chunking import joined
from whisper_transcriber.request.errors import invalid
from whisper_transcriber.request.parameters import Fields, JobOptions, Value, options_of, refuse_repeated, request_of


class HttpSource(Value):
    """Audio behind a URL, fetched by a worker."""

    url: str = Field(min_length=1, max_length=8192)


class S3Source(Value):
    """Audio in a bucket that the service may read (`WHISPER_S3_SOURCES`), fetched by a worker."""

    url: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1200)


class UploadSource(Value):
    """A completed upload, by tus or in parts."""

    id: str = Field(min_length=1, max_length=64)


class Source(Value):
    """Where the audio is: exactly one of these."""

    http: HttpSource | None = None
    s3: S3Source | None = None
    upload: UploadSource | None = None

    @model_validator(mode="after")
    def _one(self) -> "Source":
        if sum(value is not None for value in (self.http, self.s3, self.upload)) != 1:
            raise ValueError("give exactly one of http, s3 and upload")
        return self


def _object(value: Any) -> Any:
    """A JSON object in a string, as forms have it, as an object."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("it must be a JSON object") from None


Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Metadata = Annotated[dict[Name, Annotated[str, StringConstraints(max_length=512)]], Field(max_length=16)]


WebhookUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+([/?]\S*)?$", max_length=2048)]


class WebhookFields(Value):
    """Whom to tell of a job's end."""

    url: WebhookUrl = Field(description="Gets a POST")
    events: tuple[Event, ...] = Field(EVENTS, min_length=1, max_length=len(EVENTS), description="Which; all if absent")
    transcript: bool = Field(False, description="Whether the text goes with it; otherwise only where it is")


class OutputBucket(Value):
    """Objects of a bucket that the service may write to (`WHISPER_S3_OUTPUTS`), written by a worker."""

    url: str = Field(
        pattern=URL,
        max_length=900,
        description="What their keys begin with; after a slash comes the job's id. A format's ending is added",
    )


class OutputFields(Value):
    """Where the result is written besides."""

    s3: OutputBucket
    formats: tuple[Format, ...] = Field(
        FORMATS, min_length=1, max_length=len(FORMATS), description="In which formats; all if absent"
    )


class JobFields(JobOptions):
    """What may be asked of a job, whatever its source."""

    metadata: Annotated[Metadata, BeforeValidator(_object)] = Field(
        {}, description="Up to 16 names (64 characters) with texts (512), to find the job by; in forms a JSON object"
    )
    webhook: Annotated[WebhookFields | None, BeforeValidator(_object)] = Field(
        None, description="Whom to tell of the job's end; in forms a JSON object"
    )
    output: Annotated[OutputFields | None, BeforeValidator(_object)] = Field(
        None, description="Where the result is written besides; in forms a JSON object"
    )
    reuse: bool = Field(True, description="Whether an earlier result for the same audio and options may be taken over")


class NewJobBody(JobFields):
    """The JSON body of `POST /v1/jobs`."""

    source: Source


class JobChange(Value):
    """The body of `PATCH /v1/jobs/{id}`; what is left out stays."""

    priority: int | None = Field(None, ge=-100, le=100, description="Higher goes first")
    metadata: Metadata | None = Field(None, description="Replaces what was there")


@dataclass(frozen=True)
class Asked:
    """A job that somebody asks for."""

    request: JobRequest
    metadata: Mapping[str, str]
    reuse: bool
    webhook: Webhook | None
    output: Output | None = None


def job_of_form(fields: Fields, models: Catalogue, sha256: str) -> Asked:
    """What a form asks for. Raises ApiError (400, or 404 for the model)."""
    refuse_repeated(fields)
    return _asked(options_of(joined(fields), JobFields), models, sha256=sha256)


def body_of_json(body: bytes) -> NewJobBody:
    """What a JSON body says. Raises ApiError (400)."""
    try:
        return NewJobBody.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors()) from None


def job_of_body(asked: NewJobBody, models: Catalogue, sha256: str | None = None) -> Asked:
    """What a JSON body asks for; `sha256` is that of its upload. Raises ApiError (404 for the model)."""
    if sha256 is not None:
        return _asked(asked, models, sha256=sha256)
    place = asked.source.http or asked.source.s3
    assert place is not None, "a source has exactly one of them"
    return _asked(asked, models, source_url=place.url)


def _asked(asked: JobFields, models: Catalogue, **source: Any) -> Asked:
    request = request_of(asked, models, asked.task, asked.word_timestamps, priority=asked.priority, **source)
    webhook = webhook_of(asked.webhook) if asked.webhook else None
    output = Output(asked.output.s3.url, tuple(dict.fromkeys(asked.output.formats))) if asked.output else None
    return Asked(request, asked.metadata, asked.reuse, webhook, output)


def webhook_of(asked: WebhookFields) -> Webhook:
    """Whom to tell."""
    return Webhook(asked.url, tuple(dict.fromkeys(asked.events)), asked.transcript)
