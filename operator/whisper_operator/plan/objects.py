"""The object store: versitygw over one volume, its root keys from files."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.stores import ManagedObjects
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, service
from whisper_operator.plan.pods import Pod, http_probe, room_probe, secret_files, template
from whisper_operator.plan.storage import grown, stateful_set
from whisper_operator.plan.tls import server_files, server_variables

_CREDENTIALS = "/run/secrets/objects"
_HEALTH = "/health"


def objects(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings) -> list[Manifest]:
    """Service and StatefulSet; nothing where the objects are external."""
    if cr.spec.objects.external:
        return []
    managed = cr.spec.objects.managed or ManagedObjects()
    name, component = names.objects(cr.name), Component.OBJECTS
    pod = Pod(
        component=component,
        image="objects",
        account=names.data_account(cr.name),
        options=managed.pod,
        container={
            "env": [
                {"name": "ROOT_ACCESS_KEY_FILE", "value": f"{_CREDENTIALS}/{names.KEY_ACCESS_KEY}"},
                {"name": "ROOT_SECRET_KEY_FILE", "value": f"{_CREDENTIALS}/{names.KEY_SECRET_KEY}"},
                *server_variables(cr, "OBJECTS_TLS_DIR"),
            ],
            "ports": [{"name": "s3", "containerPort": names.OBJECTS_PORT, "protocol": "TCP"}],
            "startupProbe": http_probe(_HEALTH, period=2, failures=150, port="s3", tls=cr.spec.tls.enabled),
            "readinessProbe": room_probe(("healthcheck",), "/data", period=5, failures=3),
            "livenessProbe": http_probe(_HEALTH, period=15, failures=4, port="s3", tls=cr.spec.tls.enabled),
        },
        mounts={
            "/data": None,
            _CREDENTIALS: secret_files(name, names.KEY_ACCESS_KEY, names.KEY_SECRET_KEY),
            **server_files(cr, name),
            "/tmp": {"emptyDir": {}},  # noqa: S108  a path in the pod
        },
        requests={"cpu": "50m", "memory": "64Mi"},
        limits={"memory": "1Gi"},
        grace=60,
    )
    return [
        service(cr, name, component, names.OBJECTS_PORT, "s3"),
        stateful_set(cr, name, component, template(cr, settings, pod), managed.storage, managed.storage_class_name),
        *grown(cr, name, component, managed.storage, observed),
    ]
