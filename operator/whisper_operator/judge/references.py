"""The Secrets that a transcriber needs: those that a person makes, and those that the operator made."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from whisper_operator.api import names
from whisper_operator.api.names import KEY_ACCESS_KEY, KEY_SECRET_KEY, Component
from whisper_operator.api.v1alpha1.transcriber import TranscriberSpec
from whisper_operator.judge.scene import Verdict


class Reference(NamedTuple):
    """A Secret, the keys it must hold, the component that needs it, and the field that names it ("" for our own).

    A `precious` one of ours is never made anew.
    """

    component: Component
    field: str
    name: str
    keys: tuple[str, ...]
    precious: bool = False


def references(spec: TranscriberSpec) -> Iterator[Reference]:
    """Every Secret that must exist before the component that needs it can start."""
    if spec.postgres.external:
        ref = spec.postgres.external.secret_ref
        yield Reference(Component.POSTGRES, "spec.postgres.external.secretRef", ref.name, (ref.key,))
    if spec.redis.external:
        ref = spec.redis.external.secret_ref
        yield Reference(Component.REDIS, "spec.redis.external.secretRef", ref.name, (ref.key,))
    keys = (KEY_ACCESS_KEY, KEY_SECRET_KEY)
    if spec.objects.external:
        name = spec.objects.external.secret_ref.name
        yield Reference(Component.OBJECTS, "spec.objects.external.secretRef", name, keys)
    if spec.objects.encryption and spec.objects.encryption.secret_ref:
        keys_ref = spec.objects.encryption.secret_ref
        yield Reference(Component.OBJECTS, "spec.objects.encryption.secretRef", keys_ref.name, (keys_ref.key,))
    yield from _authorities(spec)
    if spec.tracing and spec.tracing.headers_secret_ref:
        headers = spec.tracing.headers_secret_ref
        yield Reference(Component.API, "spec.tracing.headersSecretRef", headers.name, (headers.key,))
    if spec.fetch.ca_secret_ref:
        authorities = spec.fetch.ca_secret_ref
        yield Reference(Component.WORKER, "spec.fetch.caSecretRef", authorities.name, (authorities.key,))
    for field, buckets in (("fetch", spec.fetch.s3), ("output", spec.output.s3)):
        for index, bucket in enumerate(buckets):
            if bucket.secret_ref:
                named = f"spec.{field}.s3[{index}].secretRef"
                yield Reference(Component.WORKER, named, bucket.secret_ref.name, keys)
    for index, model in enumerate(spec.models):
        if model.source and model.source.s3 and model.source.s3.secret_ref:
            field = f"spec.models[{index}].source.s3.secretRef"
            yield Reference(Component.WORKER, field, model.source.s3.secret_ref.name, keys)


def _authorities(spec: TranscriberSpec) -> Iterator[Reference]:
    stores = ((Component.POSTGRES, spec.postgres), (Component.REDIS, spec.redis), (Component.OBJECTS, spec.objects))
    for component, store in stores:
        ref = store.external.ca_secret_ref if store.external else None
        if ref:
            yield Reference(component, f"spec.{component}.external.caSecretRef", ref.name, (ref.key,))


def kept(transcriber: str, spec: TranscriberSpec) -> Iterator[Reference]:
    """The generated Secrets in use: nobody but a person puts back a key that one of them lost."""
    uri = (names.KEY_PASSWORD, names.KEY_URI)
    if not spec.postgres.external:
        yield Reference(Component.POSTGRES, "", names.postgres(transcriber), uri)
    if not spec.redis.external:
        yield Reference(Component.REDIS, "", names.redis(transcriber), uri)
    if not spec.objects.external:
        yield Reference(Component.OBJECTS, "", names.objects(transcriber), (KEY_ACCESS_KEY, KEY_SECRET_KEY))
    if spec.objects.encryption and not spec.objects.encryption.secret_ref:
        yield Reference(Component.OBJECTS, "", names.objects_keys(transcriber), (names.KEY_OBJECTS_KEYS,), True)
    if spec.api.auth.enabled:
        yield Reference(Component.API, "", names.api_key(transcriber), (names.KEY_API_KEY,))
    if spec.monitoring.exporters.enabled:
        if not spec.postgres.external:
            yield Reference(Component.POSTGRES, "", names.metrics(transcriber), (names.KEY_METRICS_POSTGRES,))
        if not spec.redis.external:
            yield Reference(Component.REDIS, "", names.metrics(transcriber), (names.KEY_METRICS_REDIS,))
    yield Reference(Component.API, "", names.webhooks(transcriber), (names.KEY_WEBHOOKS,))
    yield Reference(Component.API, "", names.rollout(transcriber), (names.KEY_ROLLOUT,))


def missing(reference: Reference, namespace: str, found: Mapping[str, str] | None) -> Verdict | None:
    """The complaint about a reference, given the Secret's data (None: there is no such Secret)."""
    where = f"Secret {reference.name} in namespace {namespace}"
    if reference.field:
        where += f", named by {reference.field},"
    if reference.precious and not (found and all(found.get(key) for key in reference.keys)):
        need = " and ".join(reference.keys)
        said = f"{where} is gone, or has no key {need}: put it back from your backup. Nothing that it encrypted can be "
        return Verdict("SecretNotFound", said + "read without it. What runs keeps running until then.", stalled=True)
    if found is None:
        need = " and ".join(reference.keys)
        return Verdict("SecretNotFound", f"{where} does not exist. Create it with the key {need}.", stalled=True)
    empty = [key for key in reference.keys if not found.get(key)]
    if not empty:
        return None
    advice = "Fill it in." if reference.field else "Put it back, or delete the Secret: a new one is made."
    said = f"{where} has no key {' and '.join(empty)}, or it is empty. {advice} What runs keeps running until then."
    return Verdict("SecretIncomplete", said, stalled=True)
