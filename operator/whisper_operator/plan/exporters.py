"""Exporters: a second container in the pods of PostgreSQL and Redis that asks the server beside it how it is.

Each has an account of its own, which may ask that and nothing else. It connects by the server's own name, so that it
verifies the certificate like everybody, but within the pod: no policy has to let it through.
"""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest
from whisper_operator.plan.pods import Sidecar, resources, secret_files
from whisper_operator.plan.tls import TRUST, trust_files

PORT = "metrics"
_CREDENTIALS = "/run/secrets/metrics"
_REQUESTS = {"cpu": "5m", "memory": "24Mi"}
_LIMITS = {"memory": "128Mi"}
_KEYS = {Component.POSTGRES: names.KEY_METRICS_POSTGRES, Component.REDIS: names.KEY_METRICS_REDIS}


def of(cr: WhisperTranscriber) -> list[tuple[Component, str]]:
    """The servers that have an exporter, with their names."""
    servers = (
        (Component.POSTGRES, names.postgres(cr.name), cr.spec.postgres.external),
        (Component.REDIS, names.redis(cr.name), cr.spec.redis.external),
    )
    enabled = cr.spec.monitoring.exporters.enabled
    return [(component, name) for component, name, external in servers if enabled and not external]


def files(cr: WhisperTranscriber, component: Component) -> dict[str, Manifest | None]:
    """The mount of the account's password, for the server and for its exporter; none without exporter."""
    if component not in dict(of(cr)):
        return {}
    return {_CREDENTIALS: secret_files(names.metrics(cr.name), _KEYS[component])}


def variables(cr: WhisperTranscriber, component: Component, variable: str) -> list[Manifest]:
    """The variable that tells the server's image where that password is."""
    return [{"name": variable, "value": path} for path in _password(cr, component)]


def sidecars(cr: WhisperTranscriber, component: Component) -> tuple[Sidecar, ...]:
    """The exporter of a server, if it has one."""
    if component not in dict(of(cr)):
        return ()
    (password,) = _password(cr, component)
    env, port = (_postgres if component is Component.POSTGRES else _redis)(cr, password)
    container = {
        "name": "exporter",
        "command": ["/usr/bin/tini", "-g", "--", "exporter"],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "ports": [{"name": PORT, "containerPort": port, "protocol": "TCP"}],
        "resources": resources(cr.spec.monitoring.exporters.resources, _REQUESTS, _LIMITS),
    }
    return (Sidecar(container, {**files(cr, component), **trust_files(cr)}),)


def aliases(cr: WhisperTranscriber, component: Component) -> dict[str, list[Manifest]]:
    """Of the pod: the server's name leads to the pod itself."""
    found = [{"ip": "127.0.0.1", "hostnames": [name]} for part, name in of(cr) if part is component]
    return {"hostAliases": found} if found else {}


def _password(cr: WhisperTranscriber, component: Component) -> list[str]:
    return [f"{path}/{_KEYS[component]}" for path in files(cr, component)]


def _postgres(cr: WhisperTranscriber, password: str) -> tuple[dict[str, str], int]:
    tls = f"sslmode=verify-full&sslrootcert={TRUST}/{names.KEY_CA}" if cr.spec.tls.enabled else "sslmode=disable"
    env = {
        "DATA_SOURCE_URI": f"{names.postgres(cr.name)}:{names.POSTGRES_PORT}/{names.DATABASE}?{tls}",
        "DATA_SOURCE_USER": "metrics",
        "DATA_SOURCE_PASS_FILE": password,
    }
    return env, names.POSTGRES_METRICS_PORT


def _redis(cr: WhisperTranscriber, password: str) -> tuple[dict[str, str], int]:
    trust = {"REDIS_EXPORTER_TLS_CA_CERT_FILE": f"{TRUST}/{names.KEY_CA}"} if cr.spec.tls.enabled else {}
    scheme = "rediss" if cr.spec.tls.enabled else "redis"
    address = f"{scheme}://{names.redis(cr.name)}:{names.REDIS_PORT}"
    return {"REDIS_ADDR": address, "REDIS_PASSWORD_FILE": password, **trust}, names.REDIS_METRICS_PORT
