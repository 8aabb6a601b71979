"""A collector of traces on loopback: takes OTLP over HTTP, and keeps what it was told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services.servers import wait_until


@dataclass(frozen=True)
class Told:
    """A span, ids in hexadecimal, times in nanoseconds. `by`: the attributes of the process that sent it."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    failed: bool
    links: Sequence[tuple[str, str]]
    about: dict[str, str]
    by: dict[str, str]


@dataclass
class Collector:
    """What came so far: the spans, the headers of each request, and all bodies as they were."""

    port: int = 0
    spans: list[Told] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: bytes = b""

    @property
    def env(self) -> dict[str, str]:
        """What makes a process send its traces here, at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def named(self, name: str) -> list[Told]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Told:
        """The only span of a name."""
        (span,) = self.named(name)
        return span

    def until(self, there: Callable[[Collector], bool], what: str) -> None:
        """Wait for it."""
        wait_until(lambda: there(self), f"{what}; there are {[span.name for span in self.spans]}")

    def take(self, body: bytes) -> None:
        """Keep what a request says."""
        self.bodies += body
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
            by = _said(of_process.resource.attributes)
            self.spans += [_told(span, by) for scope in of_process.scope_spans for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens while the block runs."""
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            right = (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            if right:
                made.headers.append({name.lower(): value for name, value in self.headers.items()})
                made.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if right else 400)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, name="collector")
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def _told(span: Span, by: dict[str, str]) -> Told:
    return Told(
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        about=_said(span.attributes),
        by=by,
    )


def _said(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as text, whatever their type."""
    return {each.key: str(getattr(each.value, each.value.WhichOneof("value") or "string_value")) for each in attributes}
