"""The Secrets that a transcriber names but a person makes."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from whisper_operator.api.names import KEY_ACCESS_KEY, KEY_SECRET_KEY, Component
from whisper_operator.api.v1alpha1.transcriber import TranscriberSpec
from whisper_operator.judge.scene import Verdict


class Reference(NamedTuple):
    """A Secret, the keys it must hold, the component that needs it, and the field that names it."""

    component: Component
    field: str
    name: str
    keys: tuple[str, ...]


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
    for index, model in enumerate(spec.models):
        if model.source and model.source.s3 and model.source.s3.secret_ref:
            field = f"spec.models[{index}].source.s3.secretRef"
            yield Reference(Component.WORKER, field, model.source.s3.secret_ref.name, keys)


def missing(reference: Reference, namespace: str, found: Mapping[str, object] | None) -> Verdict | None:
    """The complaint about a reference, given the Secret's data (None: there is no such Secret)."""
    where = f"Secret {reference.name} in namespace {namespace}, named by {reference.field},"
    if found is None:
        need = " and ".join(reference.keys)
        return Verdict("SecretNotFound", f"{where} does not exist. Create it with the key {need}.", stalled=True)
    absent = [key for key in reference.keys if key not in found]
    if absent:
        return Verdict("SecretNotFound", f"{where} has no key {' and '.join(absent)}. Add it.", stalled=True)
    return None
