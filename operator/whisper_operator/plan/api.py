"""The API: stateless pods behind a Service; a change of configuration or version rolls them without a gap."""

from whisper_operator.api import names
from whisper_operator.api.names import Component, Env
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, budget, manifest, service
from whisper_operator.plan.config import checksum, cors, credentials, encryption, variables, webhook_secret
from whisper_operator.plan.pods import Pod, from_secret, http_probe, template
from whisper_operator.plan.scalers import api_replicas
from whisper_operator.plan.spread import spread
from whisper_operator.plan.tls import api_files, api_variables, trust_files
from whisper_operator.plan.tracing import tracing


def api(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings, migration: str) -> list[Manifest]:
    """Deployment and, for two or more replicas, a PodDisruptionBudget. `migration`: the Job that its pods wait for."""
    spec = cr.spec.api
    name, component, tls = names.api(cr.name), Component.API, cr.spec.tls.serves
    key = [from_secret(Env.API_KEY, names.api_key(cr.name), names.KEY_API_KEY)] if spec.auth.enabled else []
    traces = tracing(cr, component)
    pod = Pod(
        component=component,
        image="transcriber-api",
        account=name,
        options=spec.pod,
        container={
            "args": ["serve"],
            "envFrom": [{"configMapRef": {"name": names.config(cr.name)}}],
            "env": [
                *credentials(cr),
                *encryption(cr),
                *api_variables(cr),
                *cors(cr),
                webhook_secret(cr),
                *key,
                *traces,
            ],
            "ports": [{"name": "http", "containerPort": names.API_PORT, "protocol": "TCP"}],
            "startupProbe": http_probe("/livez", period=2, failures=150, tls=tls),
            "readinessProbe": http_probe("/readyz", period=5, failures=3, tls=tls),
            "livenessProbe": http_probe("/livez", period=10, failures=6, tls=tls),
        },
        mounts={"/tmp": {"emptyDir": {}}, **trust_files(cr), **api_files(cr)},  # noqa: S108  a path in the pod
        requests={"cpu": "50m", "memory": "128Mi"},
        limits={"memory": "1Gi"},
        grace=60,  # it drains by itself: unready at once, closed 5 s later, 40 s for requests in flight
        extra=spread(cr, component),
        annotations={names.CONFIG_CHECKSUM: checksum(variables(cr))},
    )
    deployment = {
        "replicas": api_replicas(cr, observed),
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": names.selector(cr.name, component)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template(cr, settings, pod),
    }
    made = manifest("apps/v1", "Deployment", cr, name, component, spec=deployment)
    made["metadata"]["annotations"] = {names.MIGRATION: migration}
    return [
        made,
        *filter(None, [budget(cr, name, component, spec.autoscaling.max if spec.autoscaling else spec.replicas)]),
    ]


def api_service(cr: WhisperTranscriber) -> Manifest:
    """The Service; it is there before the pods are, so that its address never changes."""
    return service(cr, names.api(cr.name), Component.API, names.api_service_port(cr.spec.tls.serves), "http")
