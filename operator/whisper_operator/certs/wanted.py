"""Which servers need a certificate, and for which names."""

from typing import NamedTuple

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber


class Wanted(NamedTuple):
    """One server's certificate: the Secret that holds it, and the DNS names that it is for."""

    component: Component
    secret: str
    names: tuple[str, ...]


def wanted(cr: WhisperTranscriber) -> list[Wanted]:
    """A certificate for every server that the operator runs; none where TLS is off."""
    spec = cr.spec
    if not spec.tls.enabled:
        return []
    servers = [
        (Component.POSTGRES, names.postgres(cr.name), spec.postgres.external is None, ()),
        (Component.REDIS, names.redis(cr.name), spec.redis.external is None, ()),
        (Component.OBJECTS, names.objects(cr.name), spec.objects.external is None, ()),
        (Component.API, names.api(cr.name), spec.tls.serves, spec.tls.api.dns_names),
    ]
    return [
        Wanted(component, names.certificate(service), (*forms(service, cr.namespace), *more))
        for component, service, ours, more in servers
        if ours
    ]


def forms(service: str, namespace: str) -> tuple[str, ...]:
    """Every way to write a Service's name inside a cluster, and the name that a pod has for itself."""
    within = f"{service}.{namespace}"
    return (service, within, f"{within}.svc", f"{within}.svc.cluster.local", "localhost")
