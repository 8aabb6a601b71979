"""What Prometheus' operator needs to find the metrics of API and workers."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, manifest

_API_VERSION = "monitoring.coreos.com/v1"


def monitors(cr: WhisperTranscriber, observed: Observed) -> list[Manifest]:
    """A ServiceMonitor for the API and a PodMonitor for the workers, of any colour; each where its CRD is there."""
    wanted = (
        ("ServiceMonitor", names.api(cr.name), Component.API, "endpoints"),
        ("PodMonitor", names.worker_account(cr.name), Component.WORKER, "podMetricsEndpoints"),
    )
    given = cr.spec.monitoring
    made = []
    for kind, name, component, endpoints in wanted:
        if not given.enabled or kind not in observed.served:
            continue
        spec = {
            "selector": {"matchLabels": names.selector(cr.name, component)},
            endpoints: [{"port": "http", "path": "/metrics", "interval": f"{given.interval_seconds}s"}],
        }
        one = manifest(_API_VERSION, kind, cr, name, component, spec=spec)
        one["metadata"]["labels"] = {**given.labels, **one["metadata"]["labels"]}
        made.append(one)
    return made
