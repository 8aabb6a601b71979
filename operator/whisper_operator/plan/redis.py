"""Redis: one pod with its volume, its password from a file."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.stores import ManagedRedis
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan import exporters
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, service
from whisper_operator.plan.pods import Pod, exec_probe, room_probe, secret_files, tcp_probe, template
from whisper_operator.plan.quantity import parse
from whisper_operator.plan.storage import grown, stateful_set
from whisper_operator.plan.tls import server_files, server_variables

_CREDENTIALS = "/run/secrets/redis"
_PASSWORD_FILE = f"{_CREDENTIALS}/{names.KEY_PASSWORD}"
# The image's own: it takes the password from the file, never into arguments, and LOADING is no success.
_PING = ("healthcheck",)
_OVERHEAD = 64 * 1024**2


def redis(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings) -> list[Manifest]:
    """Service and StatefulSet; nothing where Redis is external."""
    if cr.spec.redis.external:
        return []
    managed = cr.spec.redis.managed or ManagedRedis()
    name, component = names.redis(cr.name), Component.REDIS
    data = int(parse(managed.max_memory))
    pod = Pod(
        component=component,
        image="redis",
        account=names.data_account(cr.name),
        options=managed.pod,
        container={
            "env": [
                {"name": "REDIS_PASSWORD_FILE", "value": _PASSWORD_FILE},
                {"name": "REDIS_MAXMEMORY", "value": str(data)},
                *server_variables(cr, "REDIS_TLS_DIR"),
                *exporters.variables(cr, component, "REDIS_METRICS_PASSWORD_FILE"),
            ],
            "ports": [{"name": "redis", "containerPort": names.REDIS_PORT, "protocol": "TCP"}],
            "startupProbe": exec_probe(_PING, period=2, failures=300),
            "readinessProbe": room_probe(_PING, "/data", period=5, failures=3),
            "livenessProbe": tcp_probe("redis", period=15, failures=4),
        },
        mounts={
            "/data": None,
            _CREDENTIALS: secret_files(name, names.KEY_PASSWORD),
            **exporters.files(cr, component),
            **server_files(cr, name),
            "/tmp": {"emptyDir": {}},  # noqa: S108  a path in the pod
        },
        requests={"cpu": "25m", "memory": "64Mi"},
        # Rewriting the log forks: at worst every page is copied.
        limits={"memory": str(2 * data + _OVERHEAD)},
        grace=60,
        extra=exporters.aliases(cr, component),
        sidecars=exporters.sidecars(cr, component),
    )
    return [
        service(cr, name, component, names.REDIS_PORT, "redis"),
        stateful_set(cr, name, component, template(cr, settings, pod), managed.storage, managed.storage_class_name),
        *grown(cr, name, component, managed.storage, observed),
    ]
