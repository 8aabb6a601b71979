"""Pods of one component prefer different nodes."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest


def spread(cr: WhisperTranscriber, component: Component) -> Manifest:
    """A preference, never a reason to stay Pending."""
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": names.selector(cr.name, component)},
    }
    return {"topologySpreadConstraints": [constraint]}
