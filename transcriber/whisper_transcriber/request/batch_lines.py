"""A batch's lines, one by one: from JSON to what a job is asked, with what is wrong said by line and field."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal, NoReturn
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whisper_transcriber.deps import Catalogue
from whisper_transcriber.domain.batches import PRIORITY, TASKS, Endpoint, Line, Problem
from whisper_transcriber.domain.job import JobRequest
from whisper_transcriber.domain.outputs import SCHEME
from whisper_transcriber.fetch.guard import FetchFailed, host_of
from whisper_transcriber.request.errors import ApiError, bad, invalid
from whisper_transcriber.request.files import FILE_PREFIX, PREFIX
from whisper_transcriber.request.job_parameters import HttpSource, S3Source, Source, UploadSource
from whisper_transcriber.request.parameters import has_nul, transcription

LINE_BYTES: Final = 64 * 1024
"""The longest line."""

_PLACES: Final = ("url", "file", "source")
_BOM: Final = b"\xef\xbb\xbf"


class Request(BaseModel):
    """A line of the file that a batch reads."""

    model_config = ConfigDict(extra="forbid")

    custom_id: str = Field(min_length=1, max_length=512)
    method: Literal["POST"]
    url: str
    body: dict[str, Any]


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes | None]]:
    """The lines of a file that are not blank, counted from 1; None for one that is longer than `LINE_BYTES`."""
    number, rest, long = 1, b"", False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if long or len(line) > LINE_BYTES:
                yield number, None
            elif said := line.removeprefix(_BOM).strip():
                yield number, said
            number, long = number + 1, False
        if len(rest) > LINE_BYTES:
            rest, long = b"", True
    if long:
        yield number, None
    elif said := rest.removeprefix(_BOM).strip():
        yield number, said


def line_of(said: bytes, endpoint: Endpoint, models: Catalogue) -> Line:
    """What a line asks for. Raises ApiError: 400, or 404 for the model."""
    try:
        request = Request.model_validate(_json(said))
    except ValidationError as error:
        raise invalid(error.errors()) from None
    if request.url != endpoint:
        raise bad(f"The url must be the batch's endpoint, {endpoint}.", "url", "invalid_url")
    try:
        source, fields = _source(request.body), _fields(request.body)
        wanted = transcription(fields, models, "", TASKS[endpoint])
        if wanted.stream:
            raise bad("Nobody listens: stream cannot be asked for in a batch.", "stream", "unsupported_value")
    except ApiError as error:
        param = f"body.{error.param}" if error.param else "body"
        raise ApiError(error.status, error.message, code=error.code, param=param) from None
    url = source.http or source.s3
    asked = JobRequest(wanted.request.model, wanted.request.options, PRIORITY, url.url if url else None)
    upload = _upload(source.upload.id) if source.upload else None
    return Line(request.custom_id, asked, wanted.format, tuple(wanted.granularities), upload)


def problem_of(error: ApiError, line: int) -> Problem:
    """An error as the batch tells it."""
    return Problem(error.code or "invalid_value", error.message, line, error.param)


def _json(said: bytes) -> Any:
    try:
        found = json.loads(said, parse_constant=_no_number)
        if has_nul(found):
            raise bad("The line has a NUL character.", None, "invalid_json_line")
    except (ValueError, RecursionError):
        raise bad("The line is not a JSON object.", None, "invalid_json_line") from None
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _source(body: Mapping[str, Any]) -> Source:
    given = [name for name in _PLACES if body.get(name) is not None]
    if len(given) != 1:
        raise bad(f"Say where the audio is by one of {', '.join(_PLACES)}.", None, "missing_required_parameter")
    (name,) = given
    value = body[name]
    try:
        match name:
            case "source":
                source = Source.model_validate(value)
            case "file":
                source = Source(upload=UploadSource(id=value))
            case _ if isinstance(value, str) and value.startswith(SCHEME):
                source = Source(s3=S3Source(url=value))
            case _:
                source = Source(http=HttpSource(url=value))
        if source.http:
            host_of(source.http.url)
    except ValidationError as error:
        first = error.errors()[0]
        raise bad(f"{name}: {first['msg']}", name) from None
    except FetchFailed as error:
        raise bad(f"{name}: {error}", name) from None
    if source.upload:
        _upload(source.upload.id)
    return source


def _upload(name: str) -> UUID:
    try:
        return UUID(name.removeprefix(PREFIX).removeprefix(FILE_PREFIX))
    except ValueError:
        raise ApiError(404, f"There is no file {name!r}.", code="file_not_found", param="file") from None


def _fields(body: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The body as the fields of a form, which is what the same request has by itself."""
    rest = {name: value for name, value in body.items() if name not in _PLACES and value is not None}
    return {name.removesuffix("[]"): _texts(name, value) for name, value in rest.items()}


def _texts(name: str, value: Any) -> Sequence[str]:
    if isinstance(value, list):
        return [_text(name, each) for each in value]
    return [json.dumps(value)] if isinstance(value, dict) else [_text(name, value)]


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise bad(f"{name} cannot be this.", name)
