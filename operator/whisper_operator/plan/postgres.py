"""PostgreSQL: one pod with its volume, its password from a file."""

from collections.abc import Mapping

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.stores import ManagedPostgres
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan import exporters
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, manifest, service
from whisper_operator.plan.config import checksum
from whisper_operator.plan.pods import Pod, exec_probe, resources, room_probe, secret_files, template
from whisper_operator.plan.quantity import parse
from whisper_operator.plan.storage import grown, stateful_set
from whisper_operator.plan.tls import server_files, server_variables
from whisper_operator.plan.tuning import clients, restarting, settled, tuned

_DATA = "/var/lib/postgresql/data"
_CREDENTIALS = "/run/secrets/postgres"
_SETTINGS = "/etc/postgresql/conf.d"
_REQUESTS = {"cpu": "100m", "memory": "192Mi"}
_LIMITS = {"memory": "1Gi"}
# Over TCP: while initdb runs only the socket is open.
_READY = ("pg_isready", "--quiet", "--host=127.0.0.1", f"--username={names.DATABASE}", f"--dbname={names.DATABASE}")


def postgres(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings) -> list[Manifest]:
    """Service, settings, StatefulSet; nothing where PostgreSQL is external."""
    if cr.spec.postgres.external:
        return []
    managed = cr.spec.postgres.managed or ManagedPostgres()
    name, component = names.postgres(cr.name), Component.POSTGRES
    memory = _memory(managed)
    ours = tuned(memory, int(parse(managed.storage)), clients(cr))
    counts = settled(ours, managed.parameters, memory)
    conf = {"40-tuned.conf": _lines(ours), "50-parameters.conf": _lines({k: counts[k] for k in managed.parameters})}
    pod = Pod(
        component=component,
        image="postgres",
        account=names.data_account(cr.name),
        options=managed.pod,
        container={
            "env": [
                {"name": "POSTGRES_USER", "value": names.DATABASE},
                {"name": "POSTGRES_DB", "value": names.DATABASE},
                {"name": "POSTGRES_PASSWORD_FILE", "value": f"{_CREDENTIALS}/{names.KEY_PASSWORD}"},
                {"name": "PGDATA", "value": f"{_DATA}/pgdata"},
                *server_variables(cr, "POSTGRES_TLS_DIR"),
                *exporters.variables(cr, component, "POSTGRES_METRICS_PASSWORD_FILE"),
            ],
            "ports": [{"name": "postgres", "containerPort": names.POSTGRES_PORT, "protocol": "TCP"}],
            # A crash is recovered from the log, which may take long: never killed for being slow to start.
            "startupProbe": exec_probe(_READY, period=2, failures=900),
            "readinessProbe": room_probe(_READY, _DATA, period=5, failures=3),
            "livenessProbe": exec_probe(_READY, period=15, failures=8, timeout=10),
        },
        mounts={
            _DATA: None,
            _CREDENTIALS: secret_files(name, names.KEY_PASSWORD),
            **exporters.files(cr, component),
            **server_files(cr, name),
            "/tmp": {"emptyDir": {}},  # noqa: S108  a path in the pod
            "/var/run/postgresql": {"emptyDir": {}},
            "/dev/shm": {"emptyDir": {"medium": "Memory", "sizeLimit": "128Mi"}},  # noqa: S108
            _SETTINGS: {"configMap": {"name": name, "defaultMode": 0o444}},
        },
        requests=_REQUESTS,
        limits=_LIMITS,
        grace=120,
        # The rest is taken up while the server runs.
        annotations={names.CONFIG_CHECKSUM: checksum(restarting(counts))},
        extra=exporters.aliases(cr, component),
        sidecars=exporters.sidecars(cr, component),
    )
    made = template(cr, settings, pod)
    return [
        manifest("v1", "ConfigMap", cr, name, component, data=conf),
        service(cr, name, component, names.POSTGRES_PORT, "postgres"),
        stateful_set(cr, name, component, made, managed.storage, managed.storage_class_name),
        *grown(cr, name, component, managed.storage, observed),
    ]


def _memory(managed: ManagedPostgres) -> int:
    """The pod's memory in bytes: what it may use, else what is reserved for it."""
    given = resources(managed.pod.resources, _REQUESTS, _LIMITS)
    found = (given.get(kind, {}).get("memory") for kind in ("limits", "requests"))
    return int(parse(next(filter(None, found), _REQUESTS["memory"])))


def _lines(settings: Mapping[str, str]) -> str:
    return "".join(f"{key} = '{_quoted(value)}'\n" for key, value in sorted(settings.items()))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
