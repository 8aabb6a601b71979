"""What every manifest has in common: names, labels, the owner, and what the plan is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.pods import PodOptions
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber

Manifest = dict[str, Any]


@dataclass(frozen=True)
class PlanSettings:
    """What the operator was told about images, and where it runs.

    `image_registry` goes before `whisper-operator/…`; it may be empty. `image_pull_secrets` are names. `namespace` is
    "" outside a cluster.
    """

    image_registry: str = ""
    version: str = "0.1.0"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    namespace: str = ""


@dataclass(frozen=True)
class Observed:
    """What there is already.

    `secrets`: names of the generated Secrets that exist; they are never made again. `children`: live objects by
    (kind, name), with their status; claims among them let volumes grow. `values`: the data (base64) of every Secret
    that pods use, by its name. `workers`: how many the operator's own scaler has decided on; None: nothing yet.
    `bundle`: the authorities that clients of the managed stores trust, PEM. `uncertified`: servers that lack a
    certificate; while there are any, what runs stays as it is. `incomplete`: a Secret that the spec names is missing or
    lacks a key; then too. `served`: the optional kinds that the cluster knows,
    by name.
    """

    secrets: frozenset[str] = frozenset()
    children: Mapping[tuple[str, str], Manifest] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    workers: int | None = None
    served: frozenset[str] = frozenset()
    bundle: str = ""
    uncertified: frozenset[Component] = frozenset()
    incomplete: bool = False


def labels(cr: WhisperTranscriber, component: Component | None) -> dict[str, str]:
    """The labels of a child."""
    return {
        names.LABEL_NAME: names.APP,
        names.LABEL_INSTANCE: cr.name,
        **({names.LABEL_COMPONENT: str(component)} if component else {}),
        names.LABEL_MANAGED_BY: names.MANAGER,
        names.LABEL_TRANSCRIBER: cr.name,
    }


def manifest(
    api_version: str,
    kind: str,
    cr: WhisperTranscriber,
    name: str,
    component: Component | None,
    *,
    owned: bool = True,
    extra_labels: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """A child of `cr`. Without `owned` it outlives it."""
    metadata: Manifest = {
        "name": name,
        "namespace": cr.namespace,
        "labels": {**labels(cr, component), **(extra_labels or {})},
    }
    if owned:
        metadata["ownerReferences"] = [cr.owner()]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def service(cr: WhisperTranscriber, name: str, component: Component, port: int, port_name: str) -> Manifest:
    """A Service in front of a component's pods, whose container port has the same name.

    A store has one pod: while that is not ready, say for want of room, its data can still be read and deleted.
    """
    ports = [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}]
    spec: Manifest = {"type": "ClusterIP", "selector": names.selector(cr.name, component), "ports": ports}
    if component != Component.API:
        spec["publishNotReadyAddresses"] = True
    return manifest("v1", "Service", cr, name, component, spec=spec)


def budget(cr: WhisperTranscriber, name: str, component: Component, replicas: int) -> Manifest | None:
    """A lone pod cannot be both protected and drained, so one replica gets no budget."""
    if replicas < 2:
        return None
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": names.selector(cr.name, component)}}
    return manifest("policy/v1", "PodDisruptionBudget", cr, name, component, spec=spec)


def version(cr: WhisperTranscriber, settings: PlanSettings) -> str:
    """The transcriber's version."""
    return cr.spec.version or settings.version


def image(cr: WhisperTranscriber, settings: PlanSettings, name: str, options: PodOptions) -> str:
    """The image reference of a component: what the pod says, else registry/whisper-operator/name:tag."""
    if options.image:
        return options.image
    registry = cr.spec.images.registry or settings.image_registry
    tag = cr.spec.images.tag or version(cr, settings)
    return f"{registry.rstrip('/')}/whisper-operator/{name}:{tag}".lstrip("/")


def compact(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty values: the API server drops them, and an apply that states them is never a no-op."""
    return {key: item for key, item in value.items() if item is not None and item not in ("", [], {}, ())}
