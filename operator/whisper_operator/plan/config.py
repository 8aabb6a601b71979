"""The transcriber's environment: what is no secret is in one ConfigMap, secrets are referenced."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.names import Env
from whisper_operator.api.v1alpha1.fetching import OutputBucket, SourceBucket
from whisper_operator.api.v1alpha1.speech import SpeechModel
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, compact, manifest
from whisper_operator.plan.pods import from_secret
from whisper_operator.plan.tls import trust_variables

MODEL_CACHE = "/var/cache/whisper"
MODEL_VOLUMES = "/var/lib/whisper/models"


def config_map(cr: WhisperTranscriber) -> Manifest:
    """The ConfigMap that API and workers take their environment from."""
    return manifest("v1", "ConfigMap", cr, names.config(cr.name), None, data=variables(cr))


def checksum(values: Mapping[str, str]) -> str:
    """A short hash; as an annotation it rolls pods when their configuration changes."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def variables(cr: WhisperTranscriber) -> dict[str, str]:
    """All plain variables."""
    spec = cr.spec
    values = {
        Env.HOST: "0.0.0.0",  # noqa: S104  a pod's own address
        Env.PORT: str(names.API_PORT),
        Env.MODELS: json.dumps(models(cr), separators=(",", ":")),
        Env.DEFAULT_MODEL: spec.main_model.name,
        Env.MODEL_CACHE: MODEL_CACHE,
        Env.MAX_UPLOAD_BYTES: str(spec.api.limits.max_upload_bytes),
        Env.MAX_QUEUE_SECONDS: str(spec.api.limits.max_queue_seconds),
        Env.MAX_AUDIO_SECONDS: str(spec.api.limits.max_audio_seconds),
        Env.PUBLIC_URL: public_url(cr),
        Env.FETCH_ALLOW_PRIVATE: str(spec.fetch.allow_private_networks).lower(),
        **_unusual(cr),
        **object_store(cr),
        **trust_variables(cr),
    }
    return {str(name): value for name, value in sorted(values.items())}


def _unusual(cr: WhisperTranscriber) -> dict[Env, str]:
    """What is written only where it is not the transcriber's own default: so that a new field rolls no pod."""
    spec = cr.spec
    given = {
        Env.RETENTION_SECONDS: (spec.retention_seconds, 0),
        Env.LOG_LEVEL: (spec.log_level, "INFO"),
        Env.FETCH_TIMEOUT_SECONDS: (spec.fetch.timeout_seconds, 900),
    }
    return {name: str(value) for name, (value, usual) in given.items() if value != usual}


def cors(cr: WhisperTranscriber) -> list[Manifest]:
    """The variable with the web pages that may call, which only the API reads."""
    given = cr.spec.api.cors
    return [{"name": str(Env.CORS_ORIGINS), "value": json.dumps(given.allowed_origins)}] if given else []


def public_url(cr: WhisperTranscriber) -> str:
    """Where clients reach the API: through the Ingress, or else inside the cluster."""
    ingress = cr.spec.api.ingress
    if ingress is not None:
        return f"{'https' if ingress.tls else 'http'}://{ingress.host}"
    return names.endpoint(cr.name, cr.namespace, tls=cr.spec.tls.serves)


def webhook_secret(cr: WhisperTranscriber) -> Manifest:
    """The variable that the secrets of webhooks follow from: the API shows them, workers sign with them."""
    return from_secret(Env.WEBHOOK_SECRET, names.webhooks(cr.name), names.KEY_WEBHOOKS)


def object_store(cr: WhisperTranscriber) -> dict[str, str]:
    """Where the bucket is."""
    external = cr.spec.objects.external
    if external:
        where = (external.endpoint.rstrip("/"), external.bucket, external.region)
    else:
        scheme = "https" if cr.spec.tls.enabled else "http"
        where = (f"{scheme}://{names.objects(cr.name)}:{names.OBJECTS_PORT}", names.BUCKET, names.REGION)
    return dict(zip((Env.S3_ENDPOINT, Env.S3_BUCKET, Env.S3_REGION), where, strict=True))


def credentials(cr: WhisperTranscriber) -> list[Manifest]:
    """Variables with passwords, by reference: those of the managed stores, or yours."""
    spec = cr.spec
    postgres = spec.postgres.external.secret_ref if spec.postgres.external else None
    redis = spec.redis.external.secret_ref if spec.redis.external else None
    bucket = spec.objects.external.secret_ref.name if spec.objects.external else names.objects(cr.name)
    return [
        from_secret(Env.DATABASE_URL, postgres.name if postgres else names.postgres(cr.name), _key(postgres)),
        from_secret(Env.REDIS_URL, redis.name if redis else names.redis(cr.name), _key(redis)),
        from_secret(Env.S3_ACCESS_KEY, bucket, names.KEY_ACCESS_KEY),
        from_secret(Env.S3_SECRET_KEY, bucket, names.KEY_SECRET_KEY),
    ]


def encryption(cr: WhisperTranscriber) -> list[Manifest]:
    """The variables of those who read and write objects, where these are encrypted."""
    given = cr.spec.objects.encryption
    if given is None:
        return []
    ref = given.secret_ref
    name, key = (ref.name, ref.key) if ref else (names.objects_keys(cr.name), names.KEY_OBJECTS_KEYS)
    lenient = {"name": str(Env.OBJECTS_READ_UNENCRYPTED), "value": "true"}
    return [from_secret(Env.OBJECTS_KEYS, name, key), *([lenient] if given.read_unencrypted else [])]


def buckets(cr: WhisperTranscriber) -> list[Manifest]:
    """The variables of the buckets that jobs may name. The lists say which variables hold a bucket's keys."""
    fetch, output = cr.spec.fetch.s3, cr.spec.output.s3
    return [*_buckets(Env.S3_SOURCES, "S3_SOURCE", fetch), *_buckets(Env.S3_OUTPUTS, "S3_OUTPUT", output)]


def _buckets(variable: Env, prefix: str, given: Sequence[SourceBucket | OutputBucket]) -> list[Manifest]:
    found, listed = [], []
    for number, each in enumerate(given):
        about = {"bucket": each.bucket, "endpoint": each.endpoint, "region": each.region}
        if each.secret_ref:
            about["credentials"] = f"{prefix}_{number}"
            for name, key in (("ACCESS_KEY", names.KEY_ACCESS_KEY), ("SECRET_KEY", names.KEY_SECRET_KEY)):
                found.append(from_secret(f"{prefix}_{number}_{name}", each.secret_ref.name, key))
        start = each.prefix if isinstance(each, OutputBucket) else None
        listed.append(compact({**about, "tenants": list(each.tenants), "prefix": start}))
    if listed:
        found.append({"name": str(variable), "value": json.dumps(listed, separators=(",", ":"))})
    return found


def models(cr: WhisperTranscriber) -> list[dict[str, Any]]:
    """WHISPER_MODELS: the models as the transcriber's ModelSpec has them."""
    return [
        compact(
            {
                "name": model.name,
                "aliases": list(model.aliases),
                "source": _source(model),
                "digest": model.digest,
                "computeType": model.compute_type,
                "encoderInput": model.encoder_input,
                "engine": model.engine,
            }
        )
        for model in cr.spec.models
    ]


def claim_folder(claim: str) -> str:
    """Where the volume with a model is mounted."""
    return f"{MODEL_VOLUMES}/{claim}"


def _source(model: SpeechModel) -> dict[str, Any] | None:
    source = model.source
    if source is None:
        return None
    if source.pvc:
        return {"path": f"{claim_folder(source.pvc.claim_name)}/{source.pvc.path}".rstrip("/")}
    if source.s3:
        return {"s3": {"uri": source.s3.uri}}
    return source.model_dump(by_alias=True, exclude_none=True)


def _key(reference: Any) -> str:
    return str(reference.key) if reference else names.KEY_URI
