"""How the API is reached and scaled, and who watches it all."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import UNIQUE, Model, ObjectName, rules
from whisper_operator.api.v1alpha1.pods import LabelKey, LabelValue, Resources, Text

Host = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253
    ),
]
Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^\s/?#@]+)$", max_length=256)]
Path = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$", max_length=256)]


class IngressTls(Model):
    """HTTPS from outside."""

    secret_name: ObjectName = Field(
        description="Secret of type kubernetes.io/tls with the certificate; annotations may ask cert-manager for it."
    )


class Ingress(Model):
    """The way in from outside the cluster."""

    host: Host = Field(description="Name by which clients call, such as speech.example.com.")
    class_name: ObjectName | None = Field(None, description="IngressClass. Default: the cluster's.")
    paths: tuple[Path, ...] = Field(
        ("/v1",),
        min_length=1,
        max_length=16,
        json_schema_extra={**UNIQUE, "default": ["/v1"]},
        description="Paths that are let in. Default: /v1, the API; metrics and what is internal stay inside.",
    )
    tls: IngressTls | None = Field(None, description="HTTPS. Default: none, which is for trying things out.")
    annotations: dict[LabelKey, Text] = Field(
        {},
        max_length=64,
        description="For the Ingress controller; it must let large bodies through, and answers that take minutes.",
    )


class Cors(Model):
    """Which web pages may call from a browser. Each call still needs a key."""

    allowed_origins: tuple[Origin, ...] = Field(
        min_length=1,
        max_length=64,
        json_schema_extra=UNIQUE,
        description='Origins such as https://app.example.com, without a path; "*" is any page.',
    )


class ApiAutoscaling(
    Model,
    json_schema_extra=rules(("self.min <= self.max", "spec.api.autoscaling.min must not be more than max")),
):
    """A HorizontalPodAutoscaler on CPU. spec.api.replicas then only says how many there are at first."""

    min: int = Field(2, ge=1, le=100, description="Fewest API pods.")
    max: int = Field(ge=1, le=100, description="Most API pods.")
    cpu_percent: int = Field(
        200, ge=1, le=10000, description="CPU that they should use, in percent of what each requests."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not be more than max")
        return self


class Exporters(Model):
    """Metrics of the managed PostgreSQL and Redis, by a second container in their pods."""

    enabled: bool = Field(False, description="Run them. A change restarts PostgreSQL and Redis.")
    resources: Resources | None = Field(
        None,
        description="Resources of each exporter; each given map replaces the operator's own. Default: requests of 5m "
        "CPU and 24Mi of memory, and a limit of 128Mi.",
    )


class Monitoring(Model):
    """ServiceMonitor (API) and PodMonitors (workers, exporters), where the cluster has their CRDs."""

    enabled: bool = Field(True, description="Make them, as soon as their CRDs are there.")
    interval_seconds: int = Field(30, ge=1, le=3600, description="Seconds between two scrapes by Prometheus.")
    labels: dict[LabelKey, LabelValue] = Field(
        {}, max_length=16, description="Labels by which Prometheus selects them, such as release. Default: none."
    )
    exporters: Exporters = Field(Exporters(), description="Metrics of the managed PostgreSQL and Redis. Default: none.")
