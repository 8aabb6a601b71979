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

from whisper_transcriber.api.errors import unexpected
from whisper_transcriber.deps import Deps
from whisper_transcriber.logs import Log, bound
from whisper_transcriber.metrics import Metrics

log = Log("whisper_transcriber.access")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PROBES = frozenset({"/livez", "/readyz", "/metrics", "/internal/demand"})


async def deps_of(request: Request) -> Deps:
    """What this application was given."""
    found = request.app.state.deps
    assert isinstance(found, Deps)
    return found


def tell(request: Request, headers: Mapping[str, str]) -> None:
    """Headers for the answer, whatever it will be: `Access` adds them."""
    request.scope.setdefault("state", {}).setdefault("headers", {}).update(headers)


Given = Annotated[Deps, Depends(deps_of)]


class Access:
    """Middleware: `x-request-id` and `openai-processing-ms` on answers, a log line and metrics (but for probes).

    The id is the one that the request came with, if it is a plain one; all that is logged meanwhile says it.

    While the process is `stopping` every answer closes its connection, so that the next request goes to another pod.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._app = app
        self._metrics = metrics
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        with bound(request=request_id):
            await self._answer(scope, receive, send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
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
            await unexpected().response()(scope, receive, with_id)
        finally:
            if scope["path"] not in _PROBES:
                self._note(scope, status, perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, not the path: ids must not become label values.
        route = getattr(scope.get("route"), "path", "unknown")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.request_seconds.labels(scope["method"], route).observe(seconds)
        log.info("Answered", method=scope["method"], route=route, status=status, seconds=round(seconds, 3))


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _PLAIN.fullmatch(given) else f"req_{uuid4().hex}"
