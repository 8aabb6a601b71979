"""The way in from outside: an Ingress in front of the API's Service."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, compact, manifest


def ingress(cr: WhisperTranscriber) -> list[Manifest]:
    """An Ingress where one is asked for."""
    given = cr.spec.api.ingress
    if given is None:
        return []
    name = names.api(cr.name)
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in given.paths]
    spec = {
        "ingressClassName": given.class_name,
        "rules": [{"host": given.host, "http": {"paths": paths}}],
        "tls": [{"hosts": [given.host], "secretName": given.tls.secret_name}] if given.tls else None,
    }
    made = manifest("networking.k8s.io/v1", "Ingress", cr, name, Component.API, spec=compact(spec))
    if given.annotations:
        made["metadata"]["annotations"] = dict(given.annotations)
    return [made]
