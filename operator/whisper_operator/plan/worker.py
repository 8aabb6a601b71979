"""The workers: one Deployment a colour. Today there is one colour; rollouts between two are built on it."""

from whisper_operator.api import names
from whisper_operator.api.names import BLUE, Component, Env
from whisper_operator.api.v1alpha1.pods import PodOptions
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.autoscaling import least, replicas
from whisper_operator.plan.cache import affinity, alone, model_cache, volume
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, budget, manifest
from whisper_operator.plan.config import (
    MODEL_CACHE,
    buckets,
    checksum,
    claim_folder,
    credentials,
    encryption,
    variables,
    webhook_secret,
)
from whisper_operator.plan.footprint import CLAIMS, memory
from whisper_operator.plan.pods import Pod, from_secret, http_probe, template
from whisper_operator.plan.profiles import profile
from whisper_operator.plan.quantity import parse
from whisper_operator.plan.spread import spread
from whisper_operator.plan.tls import fetch_files, fetch_variables, trust_files
from whisper_operator.plan.tracing import tracing

# How long a worker may take to start, in seconds: as long as its models take from a hub far away, at 2 MiB a second.
_START, _PER_MIB = 300, 0.5
_PROBE = 2


def worker(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings, colour: str = BLUE) -> list[Manifest]:
    """The model cache, if any, Deployment and, for two or more replicas, a PodDisruptionBudget."""
    spec, wanted = cr.spec.workers, replicas(cr, observed)
    name, component = names.worker(cr.name, colour), Component.WORKER
    label = {names.LABEL_COLOUR: colour}
    request, limit = memory(cr.spec.models, gpu=bool(spec.gpus), claims=_claims(cr))
    kind, patience = profile(spec), starting(request)
    pod = Pod(
        component=component,
        image=_image(cr),
        account=names.worker_account(cr.name),
        options=kind.options(_near(cr, spec.pod)),
        container={
            "args": ["work"],
            "envFrom": [{"configMapRef": {"name": names.config(cr.name)}}],
            "env": [*_environment(), *fetch_variables(cr), *_secrets(cr), *tracing(cr, component)],
            "ports": [{"name": "http", "containerPort": names.API_PORT, "protocol": "TCP"}],
            "startupProbe": http_probe("/readyz", period=_PROBE, failures=patience // _PROBE),
            "readinessProbe": http_probe("/readyz", period=5, failures=3),
            "livenessProbe": http_probe("/livez", period=10, failures=12, timeout=10),
        },
        mounts={**_mounts(cr), **kind.mounts},
        requests={"cpu": "500m", "memory": request},
        limits={"memory": limit, **kind.limits(spec.gpus)},
        # Time to finish the batch and hand the rest back.
        grace=120,
        extra=spread(cr, component),
        annotations={names.CONFIG_CHECKSUM: checksum(variables(cr))},
        labels=label,
    )
    deployment = {
        "replicas": wanted,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": patience + 300,
        "selector": {"matchLabels": {**names.selector(cr.name, component), **label}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": _pace(cr)},
        "template": template(cr, settings, pod),
    }
    made = manifest("apps/v1", "Deployment", cr, name, component, extra_labels=label, spec=deployment)
    if spec.autoscaling:
        made["metadata"]["annotations"] = {names.LEAST: str(least(cr, wanted))}
    most = spec.autoscaling.max if spec.autoscaling else wanted
    return [*model_cache(cr), made, *filter(None, [budget(cr, names.worker_account(cr.name), component, most)])]


def starting(request: str) -> int:
    """Seconds that workers may take to start, by the memory that their models take."""
    return _START + int(_PER_MIB * int(parse(request) / 1024**2))


def _pace(cr: WhisperTranscriber) -> Manifest:
    """New before old: a version that cannot start costs nothing. Old before new where there is no spare: of GPUs, of a
    volume that one node holds."""
    scarce = cr.spec.workers.gpus or alone(cr)
    return {"maxSurge": 0, "maxUnavailable": 1} if scarce else {"maxSurge": "25%", "maxUnavailable": 0}


def _near(cr: WhisperTranscriber, options: PodOptions) -> PodOptions:
    """The options, on one node if the model cache wants that; what the user says about affinity goes before it."""
    ours = affinity(cr)
    return options.model_copy(update={"affinity": {**ours, **(options.affinity or {})}}) if ours else options


def _claims(cr: WhisperTranscriber) -> int:
    """How many files a worker has in hand: WHISPER_CLAIMS, if that is set for its pods."""
    given = next((each.value for each in cr.spec.workers.pod.env if each.name == "WHISPER_CLAIMS"), None)
    return int(given) if given and given.isdecimal() else CLAIMS


def _image(cr: WhisperTranscriber) -> str:
    torch = cr.spec.models[0].engine == "openai-whisper"
    return "transcriber-worker-torch" if torch else "transcriber-worker"


def _environment() -> list[Manifest]:
    return [
        {"name": str(Env.WORKER_ID), "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108  the root is read-only, and libraries write below HOME
        {"name": "HF_HOME", "value": f"{MODEL_CACHE}/hub"},
    ]


def _secrets(cr: WhisperTranscriber) -> list[Manifest]:
    return [*credentials(cr), *encryption(cr), webhook_secret(cr), *buckets(cr), *_bucket_of_models(cr)]


def _bucket_of_models(cr: WhisperTranscriber) -> list[Manifest]:
    """Keys for models from S3; CEL sees to it that they are of one Secret."""
    refs = [m.source.s3.secret_ref for m in cr.spec.models if m.source and m.source.s3 and m.source.s3.secret_ref]
    return [
        from_secret(name, ref.name, key)
        for ref in refs[:1]
        for name, key in (("AWS_ACCESS_KEY_ID", names.KEY_ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", names.KEY_SECRET_KEY))
    ]


def _mounts(cr: WhisperTranscriber) -> dict[str, Manifest | None]:
    claims = dict.fromkeys(m.source.pvc.claim_name for m in cr.spec.models if m.source and m.source.pvc)
    return {
        "/tmp": {"emptyDir": {}},  # noqa: S108  a path in the pod; audio is unpacked there
        MODEL_CACHE: volume(cr),
        **trust_files(cr),
        **fetch_files(cr),
        **{claim_folder(c): {"persistentVolumeClaim": {"claimName": c, "readOnly": True}} for c in claims},
    }
