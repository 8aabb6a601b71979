"""What Prometheus' operator needs to find the metrics of API, workers and exporters."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan import exporters
from whisper_operator.plan.common import Manifest, Observed, manifest

_API_VERSION = "monitoring.coreos.com/v1"


def monitors(cr: WhisperTranscriber, observed: Observed) -> list[Manifest]:
    """A ServiceMonitor for the API, a PodMonitor for the workers, of any colour, and one for each exporter; each where
    its CRD is there."""
    wanted = (
        ("ServiceMonitor", names.api(cr.name), Component.API, "endpoints", "http"),
        ("PodMonitor", names.worker_account(cr.name), Component.WORKER, "podMetricsEndpoints", "http"),
        *(("PodMonitor", name, part, "podMetricsEndpoints", exporters.PORT) for part, name in exporters.of(cr)),
    )
    given = cr.spec.monitoring
    made = []
    for kind, name, component, endpoints, port in wanted:
        if not given.enabled or kind not in observed.served:
            continue
        spec = {
            "selector": {"matchLabels": names.selector(cr.name, component)},
            endpoints: [{"port": port, "path": "/metrics", "interval": f"{given.interval_seconds}s"}],
        }
        one = manifest(_API_VERSION, kind, cr, name, component, spec=spec)
        one["metadata"]["labels"] = {**given.labels, **one["metadata"]["labels"]}
        made.append(one)
    return made
