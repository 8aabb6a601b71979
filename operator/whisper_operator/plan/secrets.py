"""Generated Secrets: made once, never again, and kept under deletionPolicy Retain."""

from base64 import b64encode
from collections.abc import Callable, Mapping

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, manifest

Rng = Callable[[int], str]
"""Bytes of entropy → hexadecimal digits, twice as many: safe in URIs and in configuration files."""


def generate(cr: WhisperTranscriber, rng: Rng) -> list[Manifest]:
    """Every Secret that this transcriber needs and nobody else brings."""
    spec = cr.spec
    made = []
    if not spec.postgres.external:
        password = rng(24)
        host = f"{names.postgres(cr.name)}:{names.POSTGRES_PORT}"
        uri = f"postgresql://{names.DATABASE}:{password}@{host}/{names.DATABASE}"
        values = {names.KEY_USERNAME: names.DATABASE, names.KEY_PASSWORD: password, names.KEY_URI: uri}
        made.append(_secret(cr, names.postgres(cr.name), Component.POSTGRES, values))
    if not spec.redis.external:
        password = rng(24)
        scheme = "rediss" if spec.tls.enabled else "redis"
        uri = f"{scheme}://:{password}@{names.redis(cr.name)}:{names.REDIS_PORT}/0"
        made.append(
            _secret(cr, names.redis(cr.name), Component.REDIS, {names.KEY_PASSWORD: password, names.KEY_URI: uri})
        )
    if not spec.objects.external:
        values = {names.KEY_ACCESS_KEY: rng(10), names.KEY_SECRET_KEY: rng(24)}
        made.append(_secret(cr, names.objects(cr.name), Component.OBJECTS, values))
    if spec.api.auth.enabled:
        made.append(_secret(cr, names.api_key(cr.name), Component.API, {names.KEY_API_KEY: f"sk-{rng(24)}"}))
    made.append(_secret(cr, names.webhooks(cr.name), Component.API, {names.KEY_WEBHOOKS: rng(32)}))
    made.append(_secret(cr, names.rollout(cr.name), None, {names.KEY_ROLLOUT: rng(32)}))
    return made


def _secret(cr: WhisperTranscriber, name: str, component: Component | None, values: Mapping[str, str]) -> Manifest:
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    owned = cr.spec.deletion_policy == "Delete"
    return manifest("v1", "Secret", cr, name, component, owned=owned, type="Opaque", data=data)
