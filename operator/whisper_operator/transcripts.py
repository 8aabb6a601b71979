"""A client of a transcriber's HTTP API: what the operator needs of it, and errors that say who must move."""

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from pydantic import BaseModel, ValidationError

from whisper_operator.api import names
from whisper_operator.errors import Transient

BRIEFLY = aiohttp.ClientTimeout(total=5, connect=2)
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)


class Refused(Exception):
    """The API will not take this request, however often it is sent. `code` is the API's own, such as invalid_audio."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unauthorised(Transient):
    """The key is not the one the API wants: read it again."""


class UnknownJob(Exception):
    """The API does not know the job: its data was lost, or the job was deleted there."""


class Failure(BaseModel, frozen=True):
    """Why a job failed."""

    code: str | None = None
    message: str = ""


class Output(BaseModel, frozen=True):
    """Where a job's result is written besides: the s3:// URL that it asked for, and those of the objects by format."""

    url: str
    objects: Mapping[str, str] = {}


class Attempt(BaseModel, frozen=True):
    """One try of a delivery, and what kept it from being taken."""

    error: str | None = None


class Delivery(BaseModel, frozen=True):
    """An event on its way to a URL, or a result on its way to a bucket: pending, delivered or failed."""

    url: str
    status: str
    attempts: tuple[Attempt, ...] = ()


class Job(BaseModel, frozen=True):
    """A job as the API tells it. Times are Unix seconds; `progress` is percent."""

    id: str
    status: str
    progress: int = 0
    model: str | None = None
    model_digest: str | None = None
    engine: str | None = None
    language: str | None = None
    audio_seconds: float | None = None
    processed_seconds: float | None = None
    real_time_factor: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error: Failure | None = None
    results: Mapping[str, str] = {}
    output: Output | None = None


class Demand(BaseModel, frozen=True):
    """How many workers the queue takes, and what that follows from. Seconds are of audio; `busy`: claims by worker."""

    workers: int
    queued: int = 0
    running: int = 0
    unopened: int = 0
    backlog_seconds: float = 0.0
    in_flight_seconds: float = 0.0
    real_time_factor: float | None = None
    busy: Mapping[str, int] = {}


@dataclass(frozen=True)
class Upload:
    """Audio that goes with the request itself."""

    filename: str
    audio: bytes


@dataclass(frozen=True)
class Way:
    """Where a transcriber's API answers; with `tls`, over HTTPS."""

    url: str
    tls: ssl.SSLContext | None = None


class Transcripts:
    """Jobs of any transcriber. `url` has `{name}` and `{namespace}`; one connection pool serves all of them."""

    def __init__(self, url: str) -> None:
        self._url = url
        # As many connections as are asked for: those that wait for a first job must not keep jobs from being followed.
        self._http = aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    def way(self, namespace: str, name: str, authorities: str | None = None) -> Way:
        """The way to that transcriber's API; with `authorities` (PEM) over HTTPS.

        Raises: Transient, where these are no certificates.
        """
        return _way(self._url.format(name=name, namespace=namespace), authorities)

    def pod(self, address: str, authorities: str | None = None) -> Way:
        """The way to one pod of it, by address and port. Raises: Transient, as above."""
        return _way(f"http://{address}", authorities)

    async def submit(
        self, way: Way, key: str | None, idempotency: str, fields: Mapping[str, Any], upload: Upload | None
    ) -> Job:
        """Hand a job over. The same idempotency key gives the same job, however often it is sent.

        Raises: Transient, Unauthorised, Refused.
        """
        headers = {**_auth(key), "Idempotency-Key": idempotency}
        if upload is None:
            return await self._ask(way, "POST", f"{way.url}/v1/jobs", headers, json=dict(fields))
        form = aiohttp.FormData()
        form.add_field("file", upload.audio, filename=upload.filename, content_type="application/octet-stream")
        for field, value in form_fields(fields):
            form.add_field(field, value)
        return await self._ask(way, "POST", f"{way.url}/v1/jobs", headers, data=form)

    async def get(self, way: Way, key: str | None, job_id: str) -> Job:
        """How far a job is. Raises: UnknownJob, Transient, Unauthorised, Refused."""
        return await self._ask(way, "GET", f"{way.url}/v1/jobs/{job_id}", _auth(key))

    async def writing(self, way: Way, key: str | None, job: Job) -> Delivery | None:
        """What came of writing a job's result to its output, if that has begun. Raises as `get` does."""
        url = f"{way.url}/v1/jobs/{job.id}/deliveries"
        status, data = await self._send(way, "GET", url, _auth(key))
        if status != 200:
            raise _refusal(status, data, known=True)
        try:
            found = _Deliveries.model_validate_json(data).data
        except ValidationError as error:
            raise Transient(f"the transcriber's API answered {url} with something else") from error
        return next((each for each in found if job.output and each.url == job.output.url), None)

    async def cancel(self, way: Way, key: str | None, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is. Raises: UnknownJob, Transient, Unauthorised, Refused."""
        return await self._ask(way, "POST", f"{way.url}/v1/jobs/{job_id}/cancel", _auth(key))

    async def demand(self, way: Way, key: str | None, target: int, wait: float) -> Demand:
        """How many workers finish all there is in `target` seconds; answered once there is a job, or after `wait` s.

        Raises: Transient, Unauthorised, Refused.
        """
        url = f"{way.url}/internal/demand?target_wait_seconds={target}&wait_seconds={wait:g}"
        status, data = await self._send(way, "GET", url, _auth(key))
        if status != 200:
            raise _refusal(status, data, known=False)
        try:
            return Demand.model_validate_json(data)
        except ValidationError as error:
            raise Transient(f"the transcriber's API answered {url} with something else") from error

    async def readiness(self, way: Way, host: str) -> str:
        """What one pod's `/readyz` answers while it is not ready, else "". `host`: whose certificate it has.

        Raises: Transient.
        """
        status, data = await self._send(way, "GET", f"{way.url}/readyz", {}, timeout=BRIEFLY, server_hostname=host)
        return data[:2000].decode(errors="replace") if status == 503 else ""

    async def _ask(self, way: Way, method: str, url: str, headers: Mapping[str, str], **body: Any) -> Job:
        status, data = await self._send(way, method, url, headers, **body)
        if status in (200, 201, 202):
            try:
                return Job.model_validate_json(data)
            except ValidationError as error:
                raise Transient(f"the transcriber's API answered {url} with something that is no job") from error
        raise _refusal(status, data, known=method == "GET" or url.endswith("/cancel"))

    async def _send(
        self, way: Way, method: str, url: str, headers: Mapping[str, str], **body: Any
    ) -> tuple[int, bytes]:
        checked: Any = {"ssl": way.tls} if way.tls else {}
        request = self._http.request(method, url, headers=headers, allow_redirects=False, **checked, **body)
        try:
            async with request as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"the transcriber's API does not answer: {error or type(error).__name__}") from error


def _way(url: str, authorities: str | None) -> Way:
    if authorities is None:
        return Way(url)
    try:
        return Way(_secure(url), _trusting(authorities))
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise Transient("the authorities that certify the transcriber's API cannot be read") from error


def _secure(url: str) -> str:
    """The URL over HTTPS; port 80 is then 443."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="https", netloc=parts.netloc.removesuffix(f":{names.API_SERVICE_PORT}")))


@lru_cache(maxsize=256)
def _trusting(authorities: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authorities)


def form_fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of a request as those of a form: of a list each item, of an object its JSON."""
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            yield name, each if isinstance(each, str) else json.dumps(each)


def _auth(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _refusal(status: int, data: bytes, *, known: bool) -> Exception:
    """The error for an answer that is no job. `known`: the request named a job."""
    try:
        failure = _Body.model_validate_json(data).error
    except ValidationError:
        failure = Failure(message=data[:200].decode(errors="replace"))
    said = f"the transcriber's API answered {status}: {failure.message}"
    if status == 401:
        return Unauthorised(said)
    if status == 404 and failure.code is None:
        return Transient(said)  # not our API's own words: something else answers at this address
    if status == 404 and known:
        return UnknownJob(said)
    if status in (408, 425, 429) or status >= 500:
        return Transient(said)
    return Refused(failure.code or f"http_{status}", failure.message or said)


class _Deliveries(BaseModel):
    data: list[Delivery]


class _Body(BaseModel):
    error: Failure
