"""What every request gets: an id, a log line, and its place in the metrics."""

import asyncio
import re
from collections.abc import Mapping
from time import perf_counter
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whisper_transcriber.api.errors import answer
from whisper_transcriber.deps import Deps
from whisper_transcriber.logs import Log, bound, said
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.request.errors import bad, unexpected
from whisper_transcriber.tracing import OFF, Span, Tracing

log = Log("whisper_transcriber.access")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Any other word of a client could be anything.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES = frozenset({"/livez", "/readyz", "/metrics", "/internal/demand"})


async def deps_of(request: Request) -> Deps:
    """What this application was given."""
    found = request.app.state.deps
    assert isinstance(found, Deps)
    return found


async def storable_address(request: Request) -> None:
    """A dependency of every route. Raises ApiError (400) where the path or the query has a NUL character."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise bad("The address may have no NUL character.")


def tell(request: Request, headers: Mapping[str, str]) -> None:
    """Headers for the answer, whatever it will be: `Access` adds them."""
    request.scope.setdefault("state", {}).setdefault("headers", {}).update(headers)


Given = Annotated[Deps, Depends(deps_of)]


class Access:
    """Middleware: `x-request-id` and `openai-processing-ms` on answers; a log line, metrics and a span but for probes.

    The id is the one that the request came with, if it is a plain one; all that is logged meanwhile says it. The span
    is in the trace that the request came with, by its `traceparent`.

    While the process is `stopping` every answer closes its connection, so that the next request goes to another pod.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, stopping: asyncio.Event, tracing: Tracing = OFF) -> None:
        self._app = app
        self._metrics = metrics
        self._stopping = stopping
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id, tracing = _request_id(headers), OFF if scope["path"] in _PROBES else self._tracing
        about = {
            "http.request.method": _method(scope) or "_OTHER",
            "url.scheme": scope.get("scheme"),
            "network.protocol.version": scope.get("http_version"),
        }
        parent = headers.get("traceparent")
        with bound(request=request_id), tracing.span(_named(scope), about, kind="server", parent=parent) as span:
            await self._answer(scope, receive, send, request_id, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, span: Span) -> None:
        started, status = perf_counter(), 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(round(1000 * (perf_counter() - started)))
                for name, value in scope.get("state", {}).get("headers", {}).items():
                    headers[name] = value
                if self._stopping.is_set():
                    headers["connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        except Exception:
            log.error("Failed to answer", trace=True)
            if status:
                raise  # too late for an error body: the connection is broken off
            await answer(unexpected())(scope, receive, with_id)
        finally:
            if scope["path"] not in _PROBES:
                self._note(scope, status, perf_counter() - started, span)

    def _note(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        # The route's pattern, not the path: ids must not become label values.
        known = getattr(scope.get("route"), "path", None)
        route = known or "unknown"
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.request_seconds.labels(scope["method"], route).observe(seconds)
        if known:
            span.rename(f"{_named(scope)} {known}")
        span.note({"http.route": known, "http.response.status_code": status or None, "whisper.job.id": said("job")})
        if status >= 500:
            span.failed(str(status))
        log.info("Answered", method=scope["method"], route=route, status=status, seconds=round(seconds, 3))


def _method(scope: Scope) -> str | None:
    return scope["method"] if scope["method"] in _METHODS else None


def _named(scope: Scope) -> str:
    return _method(scope) or "HTTP"


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _PLAIN.fullmatch(given) else f"req_{uuid4().hex}"
