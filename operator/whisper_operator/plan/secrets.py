"""Generated Secrets: made once, never again, and kept under deletionPolicy Retain."""

from base64 import b64encode
from collections.abc import Callable, Container, Mapping

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
    if name := keyring(cr):
        # An id of its own: objects of a key that was lost shall not seem to be of this one.
        keys = f"{rng(4)}: {rng(32)}\n"
        made.append(_secret(cr, name, Component.OBJECTS, {names.KEY_OBJECTS_KEYS: keys}))
    if spec.api.auth.enabled:
        made.append(_secret(cr, names.api_key(cr.name), Component.API, {names.KEY_API_KEY: f"sk-{rng(24)}"}))
    if spec.monitoring.exporters.enabled and not (spec.postgres.external and spec.redis.external):
        values = {names.KEY_METRICS_POSTGRES: rng(24), names.KEY_METRICS_REDIS: rng(24)}
        made.append(_secret(cr, names.metrics(cr.name), None, values))
    made.append(_secret(cr, names.webhooks(cr.name), Component.API, {names.KEY_WEBHOOKS: rng(32)}))
    made.append(_secret(cr, names.rollout(cr.name), None, {names.KEY_ROLLOUT: rng(32)}))
    return made


def keyring(cr: WhisperTranscriber) -> str | None:
    """The Secret with the keys of objects, if there is one that the operator makes."""
    given = cr.spec.objects.encryption
    return names.objects_keys(cr.name) if given is not None and given.secret_ref is None else None


def lost(cr: WhisperTranscriber, secrets: Container[str], children: Mapping[tuple[str, str], Manifest]) -> str | None:
    """The Secret with the keys of objects, if it is gone though pods have used it.

    Every other password can be made anew; with new keys what is stored would be lost for good, and nobody be told.
    """
    name = keyring(cr)
    if name is None or name in secrets:
        return None
    api = children.get(("Deployment", names.api(cr.name))) or {}
    containers = api.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
    used = [var.get("valueFrom", {}).get("secretKeyRef", {}) for each in containers for var in each.get("env", ())]
    return name if any(ref.get("name") == name for ref in used) else None


def _secret(cr: WhisperTranscriber, name: str, component: Component | None, values: Mapping[str, str]) -> Manifest:
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    owned = cr.spec.deletion_policy == "Delete"
    return manifest("v1", "Secret", cr, name, component, owned=owned, type="Opaque", data=data)
