"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`, all four always there."""

from collections.abc import Sequence
from typing import Any

from whisper_transcriber.domain.job import ErrorCode, Failure, Job


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


def invalid(problems: Sequence[Any]) -> ApiError:
    """A 400 for pydantic's first problem, its field as the parameter."""
    first = problems[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    param = ".".join(path) or None
    return bad(f"{param}: {first['msg']}" if param else first["msg"], param)


def _type(status: int) -> str:
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
