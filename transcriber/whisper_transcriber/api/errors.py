"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`, all four always there."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from whisper_transcriber.deps.room import Full
from whisper_transcriber.domain.job import ErrorCode, Failure, Job
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.objects.port import Unreadable
from whisper_transcriber.store.port import Unavailable as StoreUnavailable

log = Log(__name__)
_RETRY_SECONDS = 5


class ApiError(Exception):
    """A request that cannot be served, as the client shall see it."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, final: bool = False
    ) -> None:
        super().__init__(message)
        self.final = final
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    def response(self) -> JSONResponse:
        """The HTTP answer. What OpenAI's clients would try again, they are told not to where it cannot help."""
        headers = {"Retry-After": str(_RETRY_SECONDS)} if self.status in (425, 429, 503) else {}
        if self.final:
            headers["x-should-retry"] = "false"
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers)

    def body(self) -> dict[str, Any]:
        """The object that clients find in the answer, or among the events of a stream."""
        error = {"message": self.message, "type": _type(self.status), "param": self.param, "code": self.code}
        return {"error": error}


def bad(message: str, param: str | None = None, code: str | None = "invalid_value") -> ApiError:
    """A 400: the user must change the request."""
    return ApiError(400, message, code=code, param=param)


def not_found(what: str, code: str, param: str | None = None) -> ApiError:
    """A 404."""
    return ApiError(404, what, code=code, param=param)


def unexpected() -> ApiError:
    """A 500: our fault, and the log says what it was."""
    return ApiError(500, "The server had an error while it processed the request.", code="internal_error")


def unavailable() -> ApiError:
    """A 503: the world must change."""
    return ApiError(503, "The service cannot do this right now; try again soon.", code="unavailable")


_FAILED: dict[ErrorCode, int] = {"internal_error": 500, "model_unavailable": 503}


def failed(failure: Failure) -> ApiError:
    """Why a synchronous request could not be done: 400 if the audio is to blame. The workers have tried it enough."""
    status = _FAILED.get(failure.code, 400)
    param = "model" if failure.code in ("unsupported_option", "model_unavailable") else "file"
    return ApiError(status, failure.message, code=failure.code, param=param, final=status == 500)


def succeeded(job: Job | None) -> Job:
    """A job that has ended, if it has a result. Raises ApiError: it failed, or was cancelled or deleted meanwhile."""
    if job is not None and job.failure is not None:
        raise failed(job.failure)
    if job is None or job.status != "succeeded":
        raise not_found("The job was deleted.", "job_deleted")
    return job


def install(app: FastAPI) -> None:
    """Give every expected error of the application its body; `Access` answers the unexpected ones."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(StoreUnavailable)(_unavailable)
    app.exception_handler(ObjectsUnavailable)(_unavailable)
    app.exception_handler(Unreadable)(_unreadable)
    app.exception_handler(Full)(_full)


def invalid(problems: Sequence[Any]) -> ApiError:
    """A 400 for pydantic's first problem, its field as the parameter."""
    first = problems[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    param = ".".join(path) or None
    return bad(f"{param}: {first['msg']}" if param else first["msg"], param)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error.response()


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return invalid(error.errors()).response()


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return not_found(f"There is nothing at {request.method} {request.url.path}.", "unknown_url").response()
    if error.status_code == 405:
        answer = ApiError(405, f"{request.url.path} does not take {request.method}.", code="method_not_supported")
        response = answer.response()
        response.headers.update(error.headers or {})
        return response
    return ApiError(error.status_code, str(error.detail)).response()


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    log.warning("Refused a request for now", reason=str(error))
    return unavailable().response()


async def _unreadable(_request: Request, error: Exception) -> JSONResponse:
    log.error("Could not read what was written", reason=str(error))
    message = "What the object store holds cannot be read; the API's log says why."
    return ApiError(500, message, code="unreadable_object", final=True).response()


async def _full(_request: Request, _error: Exception) -> JSONResponse:
    return ApiError(429, "Too much is being sent at once; try again soon.", code="overloaded").response()


def _type(status: int) -> str:
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
