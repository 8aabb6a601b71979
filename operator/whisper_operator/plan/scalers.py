"""What scales instead of the operator: KEDA or a HorizontalPodAutoscaler for the workers, another one for the API.

For the workers they target the WhisperTranscriber, through its scale subresource: Deployments come and go beneath it.
"""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.api.v1alpha1.workers import Autoscaling
from whisper_operator.plan.common import Manifest, Observed, compact, manifest

_CPU = 80


def scalers(cr: WhisperTranscriber, observed: Observed) -> list[Manifest]:
    """Everything that scales this transcriber from outside the operator; KEDA's where its CRDs are there."""
    rules = cr.spec.workers.autoscaling
    made = _api(cr)
    if rules and rules.provider == "hpa":
        made.append(_pod_autoscaler(cr, rules))
    if rules and rules.provider == "keda" and "ScaledObject" in observed.served:
        made += _keda(cr, rules)
    return made


def api_replicas(cr: WhisperTranscriber, observed: Observed) -> int:
    """How many API pods: under an autoscaler as many as it has made of them. To leave the field out would reset it
    to 1 wherever the autoscaler has not written it yet."""
    given = cr.spec.api.autoscaling
    if given is None:
        return cr.spec.api.replicas
    live = observed.children.get(("Deployment", names.api(cr.name)))
    there = int(live["spec"].get("replicas", 1)) if live else cr.spec.api.replicas
    return min(max(there, given.min), given.max)


def _api(cr: WhisperTranscriber) -> list[Manifest]:
    given = cr.spec.api.autoscaling
    if given is None:
        return []
    name = names.api(cr.name)
    metric = _utilization(given.cpu_percent)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": given.min, "maxReplicas": given.max, "metrics": [metric]}
    return [manifest("autoscaling/v2", "HorizontalPodAutoscaler", cr, name, Component.API, spec=spec)]


def _pod_autoscaler(cr: WhisperTranscriber, rules: Autoscaling) -> Manifest:
    spec = {
        "scaleTargetRef": _target(cr),
        "minReplicas": rules.min,
        "maxReplicas": rules.max,
        "metrics": list(rules.metrics or [_utilization(_CPU)]),
        "behavior": _behaviour(rules),
    }
    name = names.worker_account(cr.name)
    return manifest("autoscaling/v2", "HorizontalPodAutoscaler", cr, name, Component.WORKER, spec=spec)


def _keda(cr: WhisperTranscriber, rules: Autoscaling) -> list[Manifest]:
    """A ScaledObject that asks the transcriber how many workers it takes, and how it identifies itself there."""
    name, secrets = names.worker_account(cr.name), _credentials(cr)
    endpoint = names.endpoint(cr.name, cr.namespace, tls=cr.spec.tls.serves)
    modes = [*(["bearer"] if cr.spec.api.auth.enabled else []), *(["tls"] if cr.spec.tls.serves else [])]
    trigger = {
        "type": "metrics-api",
        "metricType": "AverageValue",
        "metadata": {
            "url": f"{endpoint}/internal/demand?target_wait_seconds={rules.target_wait_seconds}",
            "valueLocation": "workers",
            "targetValue": "1",
            "activationTargetValue": "0",
            **({"authMode": ",".join(modes)} if modes else {}),
        },
        "authenticationRef": {"name": name} if secrets else None,
    }
    spec = {
        "scaleTargetRef": _target(cr),
        "minReplicaCount": rules.min,
        "maxReplicaCount": rules.max,
        "pollingInterval": 5,
        "cooldownPeriod": rules.scale_in_after_seconds,
        # What cannot be read is not zero: as many as there are, for as long as it takes.
        "fallback": {"failureThreshold": 3, "replicas": max(rules.min, 1), "behavior": "currentReplicasIfHigher"},
        "triggers": [compact(trigger)],
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour(rules)}},
    }
    made = [manifest("keda.sh/v1alpha1", "ScaledObject", cr, name, Component.WORKER, spec=spec)]
    if secrets:
        body = {"secretTargetRef": secrets}
        made.insert(0, manifest("keda.sh/v1alpha1", "TriggerAuthentication", cr, name, Component.WORKER, spec=body))
    return made


def _credentials(cr: WhisperTranscriber) -> list[Manifest]:
    """What KEDA needs to be let in by the API, and to verify it.

    KEDA takes an authority only together with a client's certificate and key. The API asks for none, so they are never
    shown; its own are at hand and go together with its authority.
    """
    sources = []
    if cr.spec.api.auth.enabled:
        sources.append(("token", names.api_key(cr.name), names.KEY_API_KEY))
    if cr.spec.tls.serves:
        secret = names.certificate(names.api(cr.name))
        sources += [("ca", secret, names.KEY_CA), ("cert", secret, names.KEY_CERTIFICATE)]
        sources.append(("key", secret, names.KEY_PRIVATE))
    return [{"parameter": parameter, "name": secret, "key": key} for parameter, secret, key in sources]


def _target(cr: WhisperTranscriber) -> Manifest:
    return {"apiVersion": names.API_VERSION, "kind": names.TRANSCRIBER_KIND, "name": cr.name}


def _behaviour(rules: Autoscaling) -> Manifest:
    return {"scaleDown": {"stabilizationWindowSeconds": rules.scale_in_after_seconds}}


def _utilization(percent: int) -> Manifest:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
    }
