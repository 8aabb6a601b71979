"""From the fields of a request to what is asked for. Nothing is ignored in silence: what we do not do is refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from whisper_transcriber.deps import Catalogue
from whisper_transcriber.domain.job import JobRequest
from whisper_transcriber.domain.languages import language_code
from whisper_transcriber.domain.options import KEYWORD_BYTES, Channels, Options, Task, Vad
from whisper_transcriber.render import FORMATS, GRANULARITIES, Format, Granularity
from whisper_transcriber.request.chunking import ChunkingStrategy, joined
from whisper_transcriber.request.errors import bad, invalid, not_found

Fields = Mapping[str, Sequence[str]]
Options_ = TypeVar("Options_", bound="JobOptions")
Stored = TypeVar("Stored")
# Somebody waits for these, so they go before jobs that name no priority.
_SYNCHRONOUS = 10
_MANY = frozenset({"timestamp_granularities", "keywords", "hotwords", "languages", "include"})
_SHARED = frozenset(
    {"model", "language", "languages", "keywords", "prompt", "temperature", "chunking_strategy", "channels"}
)
_OPENAI = _SHARED | {"response_format", "timestamp_granularities", "include", "stream"}
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Wanted:
    """A synchronous request: the job, and the form of the answer; `stream`: as events, while it is being heard."""

    request: JobRequest
    format: Format
    granularities: tuple[Granularity, ...]
    stream: bool = False


def has_nul(value: Any) -> bool:
    """Whether a text in the value has a character that PostgreSQL does not keep."""
    if isinstance(value, Mapping):
        return any(has_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return any(map(has_nul, value))
    return isinstance(value, str) and "\0" in value


def storable(value: Stored) -> Stored:
    """The value itself. Raises ValueError for a NUL character in it."""
    if has_nul(value):
        raise ValueError("it may have no NUL character")
    return value


Storable = Annotated[str, AfterValidator(storable)]


class Value(BaseModel):
    """Part of a body: camelCase and snake_case are both understood, and nothing is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, given: Any) -> Any:
        if has_nul(given):
            raise ValueError("no text may have a NUL character")
        return given


Keyword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class JobOptions(Value):
    """What may be asked of a job, whatever its source."""

    model: str | None = Field(None, description="A name or alias of `GET /v1/models`; the default model if absent")
    language: str | None = Field(None, description="Code or English name; detected in each window if absent")
    languages: tuple[str, ...] = Field((), max_length=100, description="Languages to choose from where it is detected")
    task: Task = Field("transcribe", description="`translate` gives English")
    prompt: str | None = Field(None, max_length=8192, description="Text as it might have been said before")
    keywords: tuple[Keyword, ...] = Field(
        (),
        validation_alias=AliasChoices("keywords", "hotwords"),
        description=f"Words that are likely to occur, {KEYWORD_BYTES} bytes in all; `hotwords` is another name",
    )
    chunking_strategy: ChunkingStrategy = Field(
        None,
        validation_alias=AliasChoices("chunking_strategy", "chunkingStrategy"),
        description="`auto`, or how speech is told from silence",
    )
    channels: Channels = Field(
        "mixed", description="`mixed` down to one, or `speakers`: each transcribed by itself, as what one person says"
    )
    temperature: float = Field(0.0, ge=0, le=1)
    word_timestamps: bool = False
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first")

    @field_validator("keywords")
    @classmethod
    def _fit(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        if len(", ".join(keywords).encode()) > KEYWORD_BYTES:
            raise ValueError(f"all together may have at most {KEYWORD_BYTES} bytes")
        return keywords


def transcription(fields: Fields, models: Catalogue, sha256: str, task: Task) -> Wanted:
    """What a form of OpenAI's endpoints asks for. Raises ApiError (400, or 404 for the model)."""
    refuse_repeated(fields)
    fields = joined(fields)
    _refuse_unknown(fields, _OPENAI)
    form = _format(_one(fields, "response_format", "json"))
    stream, logprobs = _stream(fields, form), _logprobs(fields, form)
    granularities = tuple(filter(None, fields.get("timestamp_granularities", ())))
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise bad(f"A granularity is one of {', '.join(GRANULARITIES)}.", "timestamp_granularities[]")
    if granularities and form != "verbose_json":
        raise bad("Timestamp granularities need response_format=verbose_json.", "timestamp_granularities[]")
    options = options_of({name: values for name, values in fields.items() if name in _SHARED}, JobOptions)
    request = request_of(options, models, task, "word" in granularities, sha256=sha256, priority=_SYNCHRONOUS)
    request = replace(request, options=replace(request.options, logprobs=logprobs))
    return Wanted(request, form, cast(tuple[Granularity, ...], granularities or ("segment",)), stream)


def _format(name: str) -> Format:
    if name == "diarized_json":
        message = "response_format diarized_json is not compatible with any model here: none tells speakers apart."
        raise bad(message, "response_format", "unsupported_value")
    if name not in FORMATS:
        raise bad(f"response_format must be one of {', '.join(FORMATS)}, not {name!r}.", "response_format")
    return name


def _stream(fields: Fields, form: Format) -> bool:
    stream = _TRUTH.get(_one(fields, "stream", "").lower())
    if stream is None:
        raise bad("stream must be true or false.", "stream")
    if stream and form not in ("json", "text"):
        raise bad(f"What is streamed is text: stream is not compatible with response_format {form}.", "stream")
    if stream and _one(fields, "channels", "mixed") != "mixed":
        raise bad("What is streamed does not say who speaks: stream is compatible with channels=mixed.", "stream")
    return stream


def _logprobs(fields: Fields, form: Format) -> bool:
    included = set(filter(None, fields.get("include", ())))
    if included - {"logprobs"}:
        raise bad("What can be included is logprobs.", "include[]")
    if included and form != "json":
        raise bad("logprobs need response_format=json.", "include[]")
    return bool(included)


def options_of(fields: Mapping[str, Any], kind: type[Options_]) -> Options_:
    """The fields of a form as options. Raises ApiError (400)."""
    try:
        return kind.model_validate(dict(_filled_in(fields)))
    except ValidationError as error:
        raise invalid(error.errors()) from None


def _filled_in(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a form as values: lists where several are taken, and none that was left empty."""
    for name, values in fields.items():
        if not isinstance(values, list):
            yield name, values
        elif filled := [value for value in values if value != ""]:
            yield name, filled if name in _MANY else filled[0]


def request_of(
    asked: JobOptions, models: Catalogue, task: Task, words: bool, *, priority: int, **source: Any
) -> JobRequest:
    """The request that a job records. Raises ApiError (400, or 404 for the model)."""
    model = models.find(asked.model)
    if model is None:
        raise not_found(f"The model {asked.model!r} does not exist.", "model_not_found", "model")
    language = _code(asked.language, "language") if asked.language else None
    languages = tuple(_code(each, "languages") for each in asked.languages)
    if language and languages:
        raise bad("Send language or languages, not both.", "languages")
    vad = asked.chunking_strategy.vad if asked.chunking_strategy else Vad()
    prompt = asked.prompt or None
    options = Options(language, task, prompt, asked.temperature, words, asked.keywords, languages, vad, asked.channels)
    return JobRequest(model.name, options, priority, **source)


def _code(language: str, param: str) -> str:
    code = language_code(language)
    if code is None:
        raise bad(f"The language {language!r} is not known; send a code such as en or de.", param)
    return code


def _one(fields: Fields, name: str, default: str) -> str:
    return fields.get(name, [""])[0] or default


def _refuse_unknown(fields: Fields, known: frozenset[str]) -> None:
    for name in fields:
        if name not in known:
            raise bad(f"The parameter {name!r} is not supported here.", name, "unsupported_parameter")


def refuse_repeated(fields: Fields) -> None:
    """Return if each field is given once, but those of which several are taken. Raises ApiError (400)."""
    for name, values in fields.items():
        if len(values) > 1 and name not in _MANY:
            raise bad(f"The parameter {name!r} is given more than once.", name)
