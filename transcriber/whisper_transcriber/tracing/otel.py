"""Traces by OpenTelemetry's SDK, sent by OTLP over HTTP; the only module that imports it."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from whisper_transcriber.logs import Log, bound
from whisper_transcriber.tracing import CURRENT, NONE, Attributes, Kind, Span, Tracing

log = Log(__name__)
GOODBYE: Final = 2.0
"""Seconds that a process may take longer to end because of spans that are not sent yet."""

_KINDS: Final = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
}
_W3C: Final = TraceContextTextMapPropagator()
# A receiver that is away is told of once a batch, not at every try.
_EXPORTER_LOG: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


def exporting(service: str) -> Tracing:
    """Traces to where the environment says. At most OTEL_BSP_MAX_QUEUE_SIZE (2048) spans wait to be sent."""
    logging.getLogger(_EXPORTER_LOG).setLevel(logging.ERROR)
    exporter = OTLPSpanExporter()
    return OtelTracing(service, BatchSpanProcessor(exporter), exporter)


class OtelTracing(Tracing):
    """Spans through `processor`. The provider is our own, not the process's: no library adds spans of its own to it."""

    on = True

    def __init__(self, service: str, processor: SpanProcessor, exporter: OTLPSpanExporter | None = None) -> None:
        # Sampler, limits and resource are what OTEL_… say.
        resource = Resource.create({SERVICE_VERSION: version("whisper-operator")})
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: service}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("whisper_transcriber")
        self._exporter = exporter

    def span(
        self,
        name: str,
        about: Attributes = NONE,
        *,
        kind: Kind = "internal",
        parent: str | None = CURRENT,
        began: datetime | None = None,
    ) -> AbstractContextManager[Span]:
        return self._span(name, about, kind=kind, parent=parent, began=began)

    def shared(self, name: str, about: Attributes, origins: Sequence[str | None]) -> AbstractContextManager[Span]:
        seen = [origin for origin in dict.fromkeys(origins) if origin and _context(origin).trace_flags.sampled]
        if not seen:
            return nullcontext(Span())
        return self._span(name, about, parent=seen[0], links=seen)

    def here(self) -> str | None:
        said: dict[str, str] = {}
        _W3C.inject(said)
        return said.get("traceparent")

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # The SDK would wait for half a minute where the receiver is away.
        ending = Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        ending.start()
        ending.join(GOODBYE)
        if ending.is_alive() and self._exporter is not None:
            log.warning("Left traces unsent", seconds=GOODBYE)
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # what waits to try again gives up
            ending.join(GOODBYE / 4)

    @contextmanager
    def _span(
        self,
        name: str,
        about: Attributes,
        *,
        kind: Kind = "internal",
        parent: str | None = CURRENT,
        began: datetime | None = None,
        links: Sequence[str] = (),
    ) -> Iterator[Span]:
        outside = parent != CURRENT
        with self._tracer.start_as_current_span(
            name,
            context=_W3C.extract({"traceparent": parent or ""}, Context()) if outside else None,
            kind=_KINDS[kind],
            attributes=_said(about),
            links=[trace.Link(_context(link)) for link in links],
            start_time=_nanoseconds(began) if began else None,
            record_exception=False,  # its text may say what nobody else should read
            set_status_on_exception=False,
        ) as made:
            span, id_ = _Recorded(made), trace.format_trace_id(made.get_span_context().trace_id)
            with bound(trace_id=id_) if outside else nullcontext():
                try:
                    yield span
                except Exception as error:
                    span.failed(type(error).__name__)
                    raise


class _Recorded(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(_said(attributes))

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)


def _context(traceparent: str) -> trace.SpanContext:
    """A traceparent, read; an invalid context, which is not sampled, where it is none."""
    return trace.get_current_span(_W3C.extract({"traceparent": traceparent}, Context())).get_span_context()


def _said(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}


def _nanoseconds(at: datetime) -> int:
    """On the wall clock; never later than now, whatever the clock says that it comes from."""
    return int(min(at, datetime.now(UTC)).timestamp() * 1e9)
