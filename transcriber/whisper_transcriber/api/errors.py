"""The answers to what cannot be served, and which error gets which."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from whisper_transcriber.deps.room import Full
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.objects.port import Unreadable
from whisper_transcriber.request.errors import ApiError, invalid, not_found, unavailable
from whisper_transcriber.store.port import Unavailable as StoreUnavailable

log = Log(__name__)
_RETRY_SECONDS = 5


def answer(error: ApiError) -> JSONResponse:
    """The HTTP answer. What OpenAI's clients would try again, they are told not to where it cannot help."""
    headers = {"Retry-After": str(_RETRY_SECONDS)} if error.status in (425, 429, 503) else {}
    if error.final:
        headers["x-should-retry"] = "false"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error.body(), error.status, headers)


def install(app: FastAPI) -> None:
    """Give every expected error of the application its body; `Access` answers the unexpected ones."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(StoreUnavailable)(_unavailable)
    app.exception_handler(ObjectsUnavailable)(_unavailable)
    app.exception_handler(Unreadable)(_unreadable)
    app.exception_handler(Full)(_full)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return answer(error)


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(invalid(error.errors()))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(not_found(f"There is nothing at {request.method} {request.url.path}.", "unknown_url"))
    if error.status_code == 405:
        said = f"{request.url.path} does not take {request.method}."
        response = answer(ApiError(405, said, code="method_not_supported"))
        response.headers.update(error.headers or {})
        return response
    return answer(ApiError(error.status_code, str(error.detail)))


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    log.warning("Refused a request for now", reason=str(error))
    return answer(unavailable())


async def _unreadable(_request: Request, error: Exception) -> JSONResponse:
    log.error("Could not read what was written", reason=str(error))
    message = "What the object store holds cannot be read; the API's log says why."
    return answer(ApiError(500, message, code="unreadable_object", final=True))


async def _full(_request: Request, _error: Exception) -> JSONResponse:
    return answer(ApiError(429, "Too much is being sent at once; try again soon.", code="overloaded"))
