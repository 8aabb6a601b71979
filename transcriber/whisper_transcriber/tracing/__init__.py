"""Traces of what a request causes, here and in the processes that go on with it; off unless OTEL_… variables ask.

While it is off, nothing of OpenTelemetry is imported and no thread is started. Whoever says where work belongs says it
as a W3C `traceparent`, so that no type of OpenTelemetry is known outside this package.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Final, Literal

from whisper_transcriber.logs import Log

__all__ = ["CURRENT", "NONE", "OFF", "Attributes", "Kind", "Span", "Tracing", "load", "wanted"]

log = Log(__name__)
Kind = Literal["internal", "server", "client", "consumer"]
Attributes = Mapping[str, str | int | float | bool | None]
NONE: Final[Attributes] = {}
CURRENT: Final = "current"
"""As a parent: the span that the caller is in."""

_OTLP: Final = "OTEL_EXPORTER_OTLP_"


class Span:
    """A stretch of work; this one records nothing. No secret, no transcript and no path goes into its attributes."""

    def rename(self, name: str) -> None:
        """Call it otherwise, now that more is known."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes; None says nothing."""

    def failed(self, kind: str) -> None:
        """Mark it as failed: `kind` is a class or code of the error, never its text."""


_NOTHING: Final = nullcontext(Span())


class Tracing:
    """Where spans go; these: nowhere."""

    on = False

    def span(
        self,
        name: str,
        about: Attributes = NONE,
        *,
        kind: Kind = "internal",
        parent: str | None = CURRENT,
        began: datetime | None = None,
    ) -> AbstractContextManager[Span]:
        """A span as long as the block, and current in it; an exception out of it marks it as failed.

        `parent` is a traceparent; None, or what is none, begins a trace. Log lines in a span of another parent than the
        current one say its `trace_id`. `began` is when it began, if that was before.
        """
        return _NOTHING

    def shared(self, name: str, about: Attributes, origins: Sequence[str | None]) -> AbstractContextManager[Span]:
        """A span of work for all of `origins` (traceparents) at once: linked to each, in the trace of the first.

        Those that are not sampled do not count.
        """
        return _NOTHING

    def here(self) -> str | None:
        """The current span as a traceparent; None outside of any."""
        return None

    async def close(self) -> None:
        """Send what is left, for a moment at most, and stop."""


OFF: Final = Tracing()


def load(service: str) -> Tracing:
    """What the environment asks for; never raises: a service without traces is better than none.

    `service` is the service's name where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say none.
    """
    if not wanted(os.environ):
        return OFF
    try:
        from whisper_transcriber.tracing.otel import exporting

        return exporting(service)
    except Exception as error:  # of the SDK, about one of its variables, or that it is not installed
        log.warning("Could not set traces up, going on without", error=type(error).__name__)
        return OFF


def wanted(env: Mapping[str, str]) -> bool:
    """Whether traces are to be exported: an endpoint is set, or `otlp` asked for; what we cannot do is logged."""
    exporter = env.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = env.get(f"{_OTLP}TRACES_ENDPOINT") or env.get(f"{_OTLP}ENDPOINT")
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    if not exporter and not endpoint:
        return False
    protocol = env.get(f"{_OTLP}TRACES_PROTOCOL") or env.get(f"{_OTLP}PROTOCOL") or "http/protobuf"
    if exporter not in ("", "otlp") or protocol != "http/protobuf":
        log.warning("Left traces off: only OTLP over http/protobuf is known", exporter=exporter, protocol=protocol)
        return False
    return True
