"""TLS in pods: the servers' certificates and what clients trust, as files that change beneath the processes.

They are projected volumes, which `rollout` leaves alone on purpose: servers and clients take a renewed file up while
they run, so it must not restart them.
"""

from whisper_operator.api import names
from whisper_operator.api.names import Env
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, manifest
from whisper_operator.plan.pods import SECRET_MODE

SERVER = "/run/tls"
TRUST = "/run/trust"


def trust_bundle(cr: WhisperTranscriber, observed: Observed) -> list[Manifest]:
    """The ConfigMap with the authorities that clients trust."""
    if not (cr.spec.tls.enabled and observed.bundle):
        return []
    return [manifest("v1", "ConfigMap", cr, names.authority(cr.name), None, data={names.KEY_CA: observed.bundle})]


def server_files(cr: WhisperTranscriber, service: str) -> dict[str, Manifest | None]:
    """The mount of a server's certificate and key; none where TLS is off."""
    if not cr.spec.tls.enabled:
        return {}
    keys = (names.KEY_CERTIFICATE, names.KEY_PRIVATE)
    return {SERVER: _projected({"secret": _items(names.certificate(service), *((key, key) for key in keys))})}


def server_variables(cr: WhisperTranscriber, variable: str) -> list[Manifest]:
    """The variable that tells an image's entrypoint where its certificate is."""
    return [{"name": variable, "value": SERVER}] if cr.spec.tls.enabled else []


def trust_files(cr: WhisperTranscriber) -> dict[str, Manifest | None]:
    """The mount of what clients of the stores trust; none where that is not ours to say."""
    sources = _sources(cr)
    return {TRUST: _projected(*sources)} if sources else {}


def trust_variables(cr: WhisperTranscriber) -> dict[Env, str]:
    """How the transcriber connects to the stores, beside their URLs."""
    spec, ours = cr.spec, f"{TRUST}/{names.KEY_CA}"
    found: dict[Env, str] = {}
    if spec.tls.enabled and not spec.postgres.external:
        found[Env.DATABASE_CA] = ours
    if not spec.redis.external:
        # Said either way: the URL in the Secret is from when that was made.
        found[Env.REDIS_TLS] = str(spec.tls.enabled).lower()
    if spec.tls.enabled and not spec.redis.external:
        found[Env.REDIS_CA] = ours
    if spec.tls.enabled and not spec.objects.external:
        found[Env.S3_CA] = ours
    return found


def _sources(cr: WhisperTranscriber) -> list[Manifest]:
    if not cr.spec.tls.enabled:
        return []
    return [{"configMap": _items(names.authority(cr.name), (names.KEY_CA, names.KEY_CA))}]


def _items(name: str, *paths: tuple[str, str]) -> Manifest:
    return {"name": name, "items": [{"key": key, "path": path} for key, path in paths]}


def _projected(*sources: Manifest) -> Manifest:
    return {"projected": {"defaultMode": SECRET_MODE, "sources": list(sources)}}
