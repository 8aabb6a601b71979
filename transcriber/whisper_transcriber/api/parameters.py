"""From the fields of a request to what is asked for. Nothing is ignored in silence: what we do not do is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from whisper_transcriber.api.errors import bad, invalid, not_found
from whisper_transcriber.deps import Catalogue
from whisper_transcriber.domain.job import JobRequest
from whisper_transcriber.domain.languages import language_code
from whisper_transcriber.domain.options import Options, Task
from whisper_transcriber.render import FORMATS, GRANULARITIES, Format, Granularity

Fields = Mapping[str, Sequence[str]]
# Somebody waits for these, so they go before jobs that name no priority.
_SYNCHRONOUS = 10
_MANY = frozenset({"timestamp_granularities"})
_OPENAI = frozenset(
    {"model", "language", "prompt", "response_format", "temperature", "timestamp_granularities", "chunking_strategy"}
)


@dataclass(frozen=True)
class Wanted:
    """A synchronous request: the job, and the form of the answer."""

    request: JobRequest
    format: Format
    granularities: tuple[Granularity, ...]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class HttpSource(_Value):
    """Audio behind a URL, fetched by a worker."""

    url: str = Field(min_length=1, max_length=8192)


class Source(_Value):
    """Where the audio is."""

    http: HttpSource


class JobOptions(_Value):
    """What may be asked of a job, whatever its source."""

    model: str | None = Field(None, description="A name or alias of `GET /v1/models`; the default model if absent")
    language: str | None = Field(None, description="Code or English name; detected if absent")
    task: Task = Field("transcribe", description="`translate` gives English")
    prompt: str | None = Field(None, max_length=8192)
    temperature: float = Field(0.0, ge=0, le=1)
    word_timestamps: bool = False
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first")


class NewJobBody(JobOptions):
    """The JSON body of `POST /v1/jobs`."""

    source: Source


def transcription(fields: Fields, models: Catalogue, sha256: str, task: Task) -> Wanted:
    """What a form of OpenAI's endpoints asks for. Raises ApiError (400, or 404 for the model)."""
    _refuse_unknown(fields, _OPENAI)
    _refuse_repeated(fields)
    form = _one(fields, "response_format", "json")
    if form not in FORMATS:
        raise bad(f"response_format must be one of {', '.join(FORMATS)}, not {form!r}.", "response_format")
    granularities = tuple(fields.get("timestamp_granularities", ()))
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise bad(f"A granularity is one of {', '.join(GRANULARITIES)}.", "timestamp_granularities[]")
    if granularities and form != "verbose_json":
        raise bad("Timestamp granularities need response_format=verbose_json.", "timestamp_granularities[]")
    if _one(fields, "chunking_strategy", "auto") != "auto":
        raise bad("chunking_strategy can only be auto.", "chunking_strategy")
    options = _options(
        {name: values[0] for name, values in fields.items() if name in ("model", "language", "prompt", "temperature")}
    )
    request = _request(options, models, task, "word" in granularities, sha256=sha256, priority=_SYNCHRONOUS)
    return Wanted(request, form, cast(tuple[Granularity, ...], granularities or ("segment",)))


def job_of_form(fields: Fields, models: Catalogue, sha256: str) -> JobRequest:
    """What a form of `POST /v1/jobs` asks for. Raises ApiError (400, or 404 for the model)."""
    _refuse_repeated(fields)
    return _job(_options({name: values[0] for name, values in fields.items()}), models, sha256=sha256)


def job_of_json(body: bytes, models: Catalogue) -> JobRequest:
    """What a JSON body of `POST /v1/jobs` asks for. Raises ApiError (400, or 404 for the model)."""
    try:
        asked = NewJobBody.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors()) from None
    return _job(asked, models, source_url=asked.source.http.url)


def _job(asked: JobOptions, models: Catalogue, **source: Any) -> JobRequest:
    return _request(asked, models, asked.task, asked.word_timestamps, priority=asked.priority, **source)


def _options(fields: Mapping[str, Any]) -> JobOptions:
    # An empty field is one that was not filled in.
    try:
        return JobOptions.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError as error:
        raise invalid(error.errors()) from None


def _request(
    asked: JobOptions, models: Catalogue, task: Task, words: bool, *, priority: int, **source: Any
) -> JobRequest:
    model = models.find(asked.model)
    if model is None:
        raise not_found(f"The model {asked.model!r} does not exist.", "model_not_found", "model")
    language = language_code(asked.language) if asked.language else None
    if asked.language and language is None:
        raise bad(f"The language {asked.language!r} is not known; send a code such as en or de.", "language")
    options = Options(language, task, asked.prompt or None, asked.temperature, words)
    return JobRequest(model.name, options, priority, **source)


def _one(fields: Fields, name: str, default: str) -> str:
    return fields.get(name, [""])[0] or default


def _refuse_unknown(fields: Fields, known: frozenset[str]) -> None:
    for name in fields:
        if name not in known:
            raise bad(f"The parameter {name!r} is not supported here.", name, "unsupported_parameter")


def _refuse_repeated(fields: Fields) -> None:
    for name, values in fields.items():
        if len(values) > 1 and name not in _MANY:
            raise bad(f"The parameter {name!r} is given more than once.", name)
