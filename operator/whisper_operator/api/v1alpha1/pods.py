"""What people may say about pods, the same for every component."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import FREE, Image, LocalRef, Model, ObjectName, Quantity, keyed, rules

EnvName = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=4096)]
LabelKey = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", max_length=63)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]

_OURS = "!k.startsWith('app.kubernetes.io/') && !k.startsWith('whisper-operator.dev/')"


class EnvVar(Model):
    """One environment variable."""

    name: EnvName = Field(description="Name of the variable.")
    value: Text | None = Field(None, description="Its value. Never put a password here: use valueFrom. Absent: empty.")
    value_from: dict[str, Any] | None = Field(
        None,
        json_schema_extra=FREE,
        description="Where it comes from, as in a Pod: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef.",
    )


class Resources(Model):
    """Resources of a container."""

    requests: dict[str, Quantity] = Field(
        {}, max_length=16, description="What the scheduler reserves, such as cpu: 500m and memory: 2Gi."
    )
    limits: dict[str, Quantity] = Field(
        {}, max_length=16, description="What the container may use at most, such as memory: 4Gi and nvidia.com/gpu: 1."
    )


class Toleration(Model):
    """A taint that the pod accepts."""

    key: str | None = Field(None, max_length=317, description="The taint's key; absent with operator Exists: any.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Exists or Equal. Absent: Equal.")
    value: str | None = Field(None, max_length=63, description="The taint's value, for operator Equal. Absent: empty.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect. Absent: every effect."
    )
    toleration_seconds: int | None = Field(
        None, description="Seconds that the pod stays on a node with a NoExecute taint. Absent: for ever."
    )


class PodPatch(Model):
    """What the other fields cannot say."""

    metadata: dict[str, Any] | None = Field(
        None, json_schema_extra=FREE, description="Merged into the pods' metadata; labels of the operator stay."
    )
    spec: dict[str, Any] | None = Field(
        None,
        json_schema_extra=FREE,
        description="Merged into the pods' spec: containers, volumes and variables by their names. null removes.",
    )

    @model_validator(mode="after")
    def _lists(self) -> Self:
        for name in ("containers", "initContainers", "volumes"):
            found = (self.spec or {}).get(name, [])
            if not isinstance(found, list) or not all(isinstance(i, dict) and i.get("name") for i in found):
                raise ValueError(f"patch.spec.{name} must be a list of objects, each with a name")
        return self


class PodOptions(Model):
    """How the pods of one component run. Security settings are not among them: every pod fits `restricted`."""

    image: Image | None = Field(
        None, description="Whole image reference, such as registry.example.com/a/b:1. Absent: made from spec.images."
    )
    resources: Resources | None = Field(
        None, description="Resources of the main container; each given map replaces the operator's own."
    )
    node_selector: dict[LabelKey, LabelValue] = Field(
        {}, max_length=32, description="Labels that the node must have. Default: none."
    )
    tolerations: tuple[Toleration, ...] = Field(
        (), max_length=32, description="Taints that are accepted. Default: none."
    )
    affinity: dict[str, Any] | None = Field(
        None, json_schema_extra=FREE, description="Affinity, as in a Pod. Default: none."
    )
    env: tuple[EnvVar, ...] = Field(
        (),
        max_length=64,
        json_schema_extra=keyed("name"),
        description="More environment of the main container; goes before what the operator sets. Default: none.",
    )
    annotations: dict[LabelKey, Text] = Field({}, max_length=64, description="More annotations. Default: none.")
    labels: dict[LabelKey, LabelValue] = Field(
        {},
        max_length=32,
        json_schema_extra=rules(
            (f"self.all(k, {_OURS})", "labels of app.kubernetes.io/ and whisper-operator.dev/ belong to the operator")
        ),
        description="More labels; the operator's own cannot be changed. Default: none.",
    )
    priority_class_name: ObjectName | None = Field(
        None, description="PriorityClass of the pods. Default: the cluster's."
    )
    runtime_class_name: ObjectName | None = Field(
        None, description="RuntimeClass of the pods, such as nvidia. Default: the node's."
    )
    topology_spread_constraints: tuple[dict[str, Any], ...] | None = Field(
        None,
        max_length=8,
        json_schema_extra={"items": FREE},
        description="How the pods spread, as in a Pod; without a labelSelector it is about this component's pods. "
        "Default: they prefer different nodes.",
    )
    patch: PodPatch | None = Field(
        None, description="A strategic merge patch of the pod template, applied last. Default: none."
    )
    image_pull_secrets: tuple[LocalRef, ...] = Field(
        (),
        max_length=16,
        json_schema_extra=keyed("name"),
        description="Secrets with registry credentials, beside spec.images.pullSecrets. Default: none.",
    )
