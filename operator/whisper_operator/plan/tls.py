"""TLS in pods: the servers' certificates and what clients trust, as files that change beneath the processes.

They are projected volumes, which `rollout` leaves alone on purpose: servers and clients take a renewed file up while
they run, so it must not restart them.
"""

from whisper_operator.api import names
from whisper_operator.api.names import Component, Env
from whisper_operator.api.v1alpha1.stores import ExternalObjects, ExternalPostgres, ExternalRedis
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, manifest
from whisper_operator.plan.pods import SECRET_MODE

SERVER = "/run/tls"
TRUST = "/run/trust"
FETCH_TRUST = "/run/fetch-trust"
External = ExternalPostgres | ExternalRedis | ExternalObjects


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


def api_files(cr: WhisperTranscriber) -> dict[str, Manifest | None]:
    """The mount of the API's certificate, where the API itself speaks TLS."""
    return server_files(cr, names.api(cr.name)) if cr.spec.tls.serves else {}


def api_variables(cr: WhisperTranscriber) -> list[Manifest]:
    """The variables that make the API speak TLS."""
    files = {Env.TLS_CERT: names.KEY_CERTIFICATE, Env.TLS_KEY: names.KEY_PRIVATE}
    return [{"name": str(name), "value": f"{SERVER}/{key}"} for name, key in files.items() if cr.spec.tls.serves]


def server_variables(cr: WhisperTranscriber, variable: str) -> list[Manifest]:
    """The variable that tells an image's entrypoint where its certificate is."""
    return [{"name": variable, "value": SERVER}] if cr.spec.tls.enabled else []


def trust_files(cr: WhisperTranscriber) -> dict[str, Manifest | None]:
    """The mount of what clients of the stores trust; none where that is not ours to say."""
    sources = _sources(cr)
    return {TRUST: _projected(*sources)} if sources else {}


def fetch_files(cr: WhisperTranscriber) -> dict[str, Manifest | None]:
    """The mount of what workers trust besides, where a user's URL leads; the API connects to none of these."""
    ref = cr.spec.fetch.ca_secret_ref
    return {FETCH_TRUST: _projected({"secret": _items(ref.name, (ref.key, names.KEY_CA))})} if ref else {}


def fetch_variables(cr: WhisperTranscriber) -> list[Manifest]:
    """The variable that tells workers of it."""
    value = f"{FETCH_TRUST}/{names.KEY_CA}"
    return [{"name": str(Env.FETCH_CA), "value": value}] if cr.spec.fetch.ca_secret_ref else []


def trust_variables(cr: WhisperTranscriber) -> dict[Env, str]:
    """How the transcriber connects to the stores, beside their URLs."""
    spec = cr.spec
    # Said either way: the URL in the Secret is from when that was made.
    found = {} if spec.redis.external else {Env.REDIS_TLS: str(spec.tls.enabled).lower()}
    for variable, component, external in _stores(cr):
        if external and external.ca_secret_ref:
            found[variable] = f"{TRUST}/{component}.crt"
        elif spec.tls.enabled and not external:
            found[variable] = f"{TRUST}/{names.KEY_CA}"
    return found


def _stores(cr: WhisperTranscriber) -> list[tuple[Env, Component, External | None]]:
    spec = cr.spec
    return [
        (Env.DATABASE_CA, Component.POSTGRES, spec.postgres.external),
        (Env.REDIS_CA, Component.REDIS, spec.redis.external),
        (Env.S3_CA, Component.OBJECTS, spec.objects.external),
    ]


def _sources(cr: WhisperTranscriber) -> list[Manifest]:
    stores = _stores(cr)
    managed = cr.spec.tls.enabled and any(external is None for *_, external in stores)
    ours = [{"configMap": _items(names.authority(cr.name), (names.KEY_CA, names.KEY_CA))}] if managed else []
    theirs = [(component, external.ca_secret_ref) for _, component, external in stores if external]
    return [*ours, *({"secret": _items(ref.name, (ref.key, f"{component}.crt"))} for component, ref in theirs if ref)]


def _items(name: str, *paths: tuple[str, str]) -> Manifest:
    return {"name": name, "items": [{"key": key, "path": path} for key, path in paths]}


def _projected(*sources: Manifest) -> Manifest:
    return {"projected": {"defaultMode": SECRET_MODE, "sources": list(sources)}}
