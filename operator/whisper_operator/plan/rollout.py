"""Pods take Secrets in when they start, so a Secret that changed must roll the pods that use it.

Their templates carry a hash of what they use. It is keyed: a plain hash of a password that a person chose could be
guessed by whoever may read pods. The key is a generated Secret of its own, so that the hash outlives every restart and
upgrade of the operator. Only values count, so labels and owners of a Secret can change without a restart.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.pods import PodOptions
from whisper_operator.api.v1alpha1.transcriber import TranscriberSpec, WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed

ROLLED = frozenset({"Deployment", "StatefulSet"})
Values = Mapping[str, Mapping[str, str]]
"""Secrets' data (base64) by name and key."""


class Use(NamedTuple):
    """A key of a Secret that a container reads. Without an `optional` one it starts all the same."""

    secret: str
    key: str
    optional: bool = False


def stamped(cr: WhisperTranscriber, plan: Sequence[Manifest], values: Values, observed: Observed) -> list[Manifest]:
    """The plan with the hash in every pod template whose pods use Secrets.

    While a Secret is missing or incomplete the pods keep the hash that they have: what runs goes on running.
    """
    key = values.get(names.rollout(cr.name), {}).get(names.KEY_ROLLOUT)
    return [_stamp(m, key, values, observed) if m["kind"] in ROLLED else m for m in plan]


def named(spec: TranscriberSpec) -> list[str]:
    """The Secrets of the user that the environment in PodOptions names."""
    stores = (spec.postgres.managed, spec.redis.managed, spec.objects.managed)
    options: list[PodOptions] = [spec.api.pod, spec.workers.pod, *(store.pod for store in stores if store)]
    found = (use.secret for pod in options for var in pod.env for use in _variable({"valueFrom": var.value_from}))
    return list(dict.fromkeys(found))


def uses(template: Manifest) -> list[Use]:
    """What a pod template's containers read from Secrets, sorted."""
    spec = template["spec"]
    found = {use for container in spec["containers"] for var in container.get("env", ()) for use in _variable(var)}
    for volume in spec.get("volumes", ()):
        source = volume.get("secret") or {}
        found |= {Use(source["secretName"], item["key"]) for item in source.get("items", ())}
    return sorted(found)


def digest(key: str, used: Sequence[Use], values: Values) -> str:
    """64 bits of HMAC-SHA256 over names, keys and values, in hexadecimal. Changing this rolls every pod there is."""
    text = json.dumps([[use.secret, use.key, values.get(use.secret, {}).get(use.key)] for use in used])
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


def _stamp(manifest: Manifest, key: str | None, values: Values, observed: Observed) -> Manifest:
    template = manifest["spec"]["template"]
    used = uses(template)
    if not used:
        return manifest
    whole = all(use.optional or values.get(use.secret, {}).get(use.key) for use in used)
    mark = digest(key, used, values) if key and whole else _present(manifest, observed)
    if mark is None:
        return manifest
    metadata = template["metadata"]
    annotations = {**metadata.get("annotations", {}), names.SECRETS_CHECKSUM: mark}
    marked = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**manifest, "spec": {**manifest["spec"], "template": marked}}


def _present(manifest: Manifest, observed: Observed) -> str | None:
    """The hash that the live object's template carries."""
    live = observed.children.get((manifest["kind"], manifest["metadata"]["name"])) or {}
    metadata = live.get("spec", {}).get("template", {}).get("metadata", {})
    mark: str | None = (metadata.get("annotations") or {}).get(names.SECRETS_CHECKSUM)
    return mark


def _variable(variable: Manifest) -> Iterator[Use]:
    """The key that an environment variable takes its value from, if any. What the user wrote may be malformed."""
    reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
    if isinstance(reference, dict) and reference.get("name") and reference.get("key"):
        yield Use(str(reference["name"]), str(reference["key"]), bool(reference.get("optional")))
