"""Traces of requests: the standard variables that switch them on in API and workers."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest
from whisper_operator.plan.pods import from_secret

_POD = "POD_NAME"


def tracing(cr: WhisperTranscriber, component: Component) -> list[Manifest]:
    """The variables of a component; none where there are no traces."""
    given = cr.spec.tracing
    if given is None:
        return []
    about = {
        "service.namespace": cr.namespace,
        "k8s.namespace.name": cr.namespace,
        "k8s.pod.name": f"$({_POD})",  # the kubelet fills it in
    }
    ref = given.headers_secret_ref
    plain = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": given.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": names.child(cr.name, str(component)),
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{name}={value}" for name, value in about.items()),
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": f"{given.sampling_ratio:.15g}",
    }
    return [
        {"name": _POD, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        *({"name": name, "value": value} for name, value in plain.items()),
        *([from_secret("OTEL_EXPORTER_OTLP_HEADERS", ref.name, ref.key)] if ref else []),
    ]
