"""Where traces of requests go."""

from typing import Annotated

from pydantic import Field, StringConstraints

from whisper_operator.api.names import KEY_HEADERS
from whisper_operator.api.v1alpha1.base import Model, ObjectName, SecretKey

Collector = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=512)]


class SecretHeaders(Model):
    """A key of a Secret that holds headers of HTTP."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field(
        KEY_HEADERS,
        description="Key whose value is headers as OTEL_EXPORTER_OTLP_HEADERS has them: name=value, separated by "
        "commas, values percent-encoded.",
    )


class Tracing(Model):
    """Traces through API, queue and workers, sent to a collector by OTLP over HTTP."""

    endpoint: Collector = Field(
        description="URL of the collector, such as http://collector.observability.svc:4318; /v1/traces is added. A "
        "name that is not a Service's has to be public, or networkPolicy.egress.tracing has to say where it is.",
    )
    sampling_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Part of the traces that begin here which is recorded; a caller that sends a traceparent decides "
        "itself. Default: all.",
    )
    headers_secret_ref: SecretHeaders | None = Field(
        None, description="Secret with headers for the collector, such as its key. Default: none."
    )
