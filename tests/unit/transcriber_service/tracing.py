"""Traces that a test reads, of a process in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from whisper_transcriber.deps import Deps
from whisper_transcriber.tracing.otel import OtelTracing


@dataclass(frozen=True)
class Traced:
    """A process whose spans are kept as they end."""

    deps: Deps
    exporter: InMemorySpanExporter

    def spans(self, name: str | None = None) -> Sequence[ReadableSpan]:
        """All that ended so far, or those of a name."""
        return [span for span in self.exporter.get_finished_spans() if name in (None, span.name)]

    def one(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        (span,) = self.spans(name)
        return span


def traced(deps: Deps) -> Traced:
    """The same process, traced."""
    exporter = InMemorySpanExporter()
    return Traced(replace(deps, tracing=OtelTracing("test", SimpleSpanProcessor(exporter))), exporter)


def parent(span: ReadableSpan) -> int | None:
    """The id of the span's parent."""
    return span.parent.span_id if span.parent else None


def ids(span: ReadableSpan) -> tuple[int, int]:
    """The trace and the span."""
    return span.context.trace_id, span.context.span_id


def about(span: ReadableSpan) -> dict[str, object]:
    """Its attributes."""
    return dict(span.attributes or {})
