"""The pods that transcribe: how many, on what, and who decides that."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from whisper_operator.api.v1alpha1.base import FREE, Model, rules
from whisper_operator.api.v1alpha1.pods import PodOptions


class Gpu(Model):
    """Graphics processors."""

    count: int = Field(1, ge=1, le=16, description="nvidia.com/gpu devices for each worker.")


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
        300, ge=0, le=3600, description="How long fewer workers must have been enough before any is taken away."
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


class Workers(Model):
    """The pods that transcribe."""

    replicas: int = Field(
        1,
        ge=0,
        le=1000,
        description="Number of worker pods; the scale subresource sets it too. Not used while autoscaling has the "
        "provider operator.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Scale by what waits. Default: replicas, always.")
    resource_profile: Literal["cpu", "nvidia"] | None = Field(
        None,
        description="cpu, or nvidia for one GPU each and its toleration. Default: nvidia where gpu is given, else cpu.",
    )
    gpu: Gpu | None = Field(None, description="GPUs of each worker. Default: none.")
    pod: PodOptions = Field(PodOptions(), description="How the pods run.")

    @property
    def gpus(self) -> int:
        """GPUs of each worker."""
        return self.gpu.count if self.gpu else int(self.resource_profile == "nvidia")

    @property
    def scaled(self) -> Autoscaling | None:
        """The bounds, where the operator itself scales."""
        return self.autoscaling if self.autoscaling and self.autoscaling.provider == "operator" else None
