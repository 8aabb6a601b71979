"""The pods that transcribe: how many, on what, and who decides that."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from whisper_operator.api.v1alpha1.base import FREE, Model, ObjectName, Quantity, rules
from whisper_operator.api.v1alpha1.pods import PodOptions

ProfileName = Literal["cpu", "nvidia", "nvidia-mig", "amd", "intel"]


class Gpu(Model):
    """Graphics processors."""

    count: int = Field(1, ge=1, le=16, description="Devices for each worker.")
    mig: str | None = Field(
        None,
        pattern=r"^[1-9]g\.[0-9]+gb(\.me|\.me\.all|\.gfx)?$",
        max_length=20,
        description="Slice of an NVIDIA GPU that a device is, such as 1g.10gb. Default: a whole GPU.",
    )


class ModelCache(
    Model,
    json_schema_extra=rules(
        (
            "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
            "spec.workers.modelCache.size cannot shrink: volumes only grow",
        ),
        (
            "self.accessMode == oldSelf.accessMode && has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            "spec.workers.modelCache.accessMode and storageClassName cannot be changed: remove modelCache, delete the "
            "claim <name>-models, and set it anew",
        ),
    ),
):
    """A volume for what is fetched, <name>-models: a worker that starts finds it there, checked already."""

    size: Quantity = Field("10Gi", description="Size of the volume.")
    storage_class_name: ObjectName | None = Field(None, description="StorageClass. Default: the cluster's.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce", description="ReadWriteMany (a shared file system) lets workers of several nodes have it."
    )
    one_node: bool = Field(
        False, description="Keep all workers on one node, so that several may share a ReadWriteOnce volume."
    )


class Autoscaling(
    Model,
    json_schema_extra=rules(
        (
            "self.min <= self.max",
            "spec.workers.autoscaling.min must not be more than max",
        ),
        (
            "self.provider != 'hpa' || self.min >= 1",
            "spec.workers.autoscaling.min must be at least 1 with provider hpa: a HorizontalPodAutoscaler cannot see "
            "the queue, so it could not come back from zero",
        ),
        (
            "self.provider == 'hpa' || !has(self.metrics)",
            "spec.workers.autoscaling.metrics are for provider hpa: the others ask the transcriber",
        ),
    ),
):
    """How many workers there are, by what waits. spec.workers.replicas is then for the provider, or not used."""

    provider: Literal["operator", "keda", "hpa"] = Field(
        "operator",
        description="Who scales: the operator itself; KEDA, by a ScaledObject; or a HorizontalPodAutoscaler.",
    )
    min: int = Field(1, ge=0, le=1000, description="Fewest workers. 0: none while there is no job; the first waits.")
    max: int = Field(ge=1, le=1000, description="Most workers.")
    target_wait_seconds: int = Field(
        60, ge=1, le=86400, description="Within how many seconds everything that waits should be done."
    )
    scale_in_after_seconds: int = Field(
        300, ge=0, le=3600, description="Seconds for which fewer workers must have been enough before any goes."
    )
    metrics: tuple[dict[str, Any], ...] | None = Field(
        None,
        max_length=8,
        json_schema_extra={"items": FREE},
        description="For provider hpa: its metrics, as in autoscaling/v2. Default: 80 % of the CPU request.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not be more than max")
        return self

    def clamp(self, replicas: int) -> int:
        """The nearest number that is allowed."""
        return min(max(replicas, self.min), self.max)


class Workers(
    Model,
    json_schema_extra=rules(
        (
            "!has(self.modelCache) || self.modelCache.accessMode == 'ReadWriteMany' || self.modelCache.oneNode || "
            "(has(self.autoscaling) ? self.autoscaling.max : self.replicas) <= 1",
            "spec.workers.modelCache.accessMode ReadWriteOnce binds a volume to one node: use ReadWriteMany for more "
            "than one worker, or set oneNode",
        ),
        (
            "!has(self.gpu) || !has(self.resourceProfile) || self.resourceProfile != 'cpu'",
            "spec.workers.gpu needs GPUs, which spec.workers.resourceProfile cpu has not: remove one of them",
        ),
        (
            "!has(self.resourceProfile) || (self.resourceProfile == 'nvidia-mig') == (has(self.gpu) && "
            "has(self.gpu.mig))",
            "spec.workers.gpu.mig and spec.workers.resourceProfile nvidia-mig need each other",
        ),
    ),
):
    """The pods that transcribe."""

    replicas: int = Field(
        1,
        ge=0,
        le=1000,
        description="Number of worker pods; the scale subresource sets it too. Not used while autoscaling has the "
        "provider operator.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Scale by what waits. Default: replicas, always.")
    resource_profile: ProfileName | None = Field(
        None,
        description="What the workers run on: which devices they ask for, the taint they accept, shared memory. "
        "Default: nvidia-mig where gpu.mig is given, nvidia where gpu is, else cpu.",
    )
    gpu: Gpu | None = Field(None, description="GPUs of each worker. Default: one where the profile has GPUs.")
    model_cache: ModelCache | None = Field(
        None, description="A volume for fetched models. Default: none, each pod fetches what its image lacks."
    )
    pod: PodOptions = Field(PodOptions(), description="How the pods run.")

    @property
    def profile(self) -> ProfileName:
        """What the workers run on."""
        implied: ProfileName = "cpu" if self.gpu is None else "nvidia-mig" if self.gpu.mig else "nvidia"
        return self.resource_profile or implied

    @property
    def gpus(self) -> int:
        """GPUs of each worker."""
        return self.gpu.count if self.gpu else int(self.profile != "cpu")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.profile == "nvidia-mig") != bool(self.gpu and self.gpu.mig):
            raise ValueError("gpu.mig and resourceProfile nvidia-mig need each other")
        return self

    @property
    def scaled(self) -> Autoscaling | None:
        """The bounds, where the operator itself scales."""
        return self.autoscaling if self.autoscaling and self.autoscaling.provider == "operator" else None
