"""WhisperTranscriber: a whole speech-to-text service. `spec: {}` is complete."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.names import API_VERSION, TRANSCRIBER_KIND
from whisper_operator.api.v1alpha1.base import (
    Image,
    Lenient,
    LocalRef,
    Model,
    Resource,
    keyed,
)
from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.api.v1alpha1.fetching import Fetch, Output
from whisper_operator.api.v1alpha1.network import NetworkPolicy
from whisper_operator.api.v1alpha1.pods import PodOptions, PullPolicy
from whisper_operator.api.v1alpha1.serving import ApiAutoscaling, Cors, Ingress, Monitoring
from whisper_operator.api.v1alpha1.speech import ModelName, SpeechModel
from whisper_operator.api.v1alpha1.stores import Objects, Postgres, Redis
from whisper_operator.api.v1alpha1.tls import Tls
from whisper_operator.api.v1alpha1.tracing import Tracing
from whisper_operator.api.v1alpha1.transcriber_rules import SPEC_RULES
from whisper_operator.api.v1alpha1.workers import Workers
from whisper_operator.api.versions import MANAGED

Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", min_length=1, max_length=128)]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Images(Model):
    """Where the images come from."""

    registry: Image | None = Field(
        None, description="Put before whisper-operator/<image>, such as registry.example.com. Default: the operator's."
    )
    tag: Tag | None = Field(None, description="Tag of every image. Default: spec.version.")
    pull_policy: PullPolicy | None = Field(None, description="Always, IfNotPresent or Never. Default: the operator's.")
    pull_secrets: tuple[LocalRef, ...] = Field(
        (),
        max_length=16,
        json_schema_extra=keyed("name"),
        description="Secrets with registry credentials. Default: the operator's, which must exist here.",
    )


class Auth(Model):
    """Who may call the API."""

    enabled: bool = Field(
        True, description="Ask for `Authorization: Bearer <key>`; the key is in the Secret <name>-api-key, key api-key."
    )


class Limits(Model):
    """What requests may ask for."""

    max_upload_bytes: int = Field(
        2 * 1024**3, ge=1024, le=2**40, description="Largest audio file, in bytes. The default is 2 GiB."
    )
    max_audio_seconds: int = Field(
        12 * 3600, ge=1, le=7 * 86400, description="Longest audio, in seconds. The default is 12 hours."
    )
    max_queue_seconds: int = Field(
        3_600_000,
        ge=0,
        le=2**40,
        description="Seconds of audio that may wait in the queue; beyond them new jobs are refused with 429. 0 is no "
        "limit. The default is 1000 hours.",
    )


class Api(Model):
    """The pods that answer HTTP."""

    replicas: int = Field(1, ge=0, le=100, description="Number of API pods. Two or more get a PodDisruptionBudget.")
    auth: Auth = Field(Auth(), description="Who may call.")
    limits: Limits = Field(Limits(), description="What requests may ask for.")
    cors: Cors | None = Field(None, description="Web pages that may call from a browser. Default: none.")
    autoscaling: ApiAutoscaling | None = Field(None, description="Scale on CPU. Default: replicas, always.")
    ingress: Ingress | None = Field(None, description="The way in from outside the cluster. Default: none.")
    pod: PodOptions = Field(PodOptions(), description="How the pods run.")


class TranscriberSpec(Model, json_schema_extra=SPEC_RULES):
    """What the service should be. Everything is optional."""

    version: Tag | None = Field(
        None,
        description=f"Version of the transcriber, the tag of its images: {MANAGED} (any suffix). Another one changes "
        "nothing and is reported as UnsupportedVersion. Default: the operator's own version.",
    )
    paused: bool = Field(
        False,
        description="Leave everything as it is until this is false again. The condition Reconciling then has the "
        "reason Paused; the others go on saying what is.",
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain",
        description="What deleting this resource does to volumes and generated Secrets: Retain keeps them for a "
        "resource of the same name to adopt, Delete deletes them.",
    )
    retention_seconds: int = Field(
        0,
        ge=0,
        le=10 * 365 * 86400,
        description="Seconds that jobs, with audio and transcripts, stay after their end, where their tenant has no "
        "rule of its own. 0 is until they are deleted.",
    )
    log_level: LogLevel = Field("INFO", description="How much API and workers log: DEBUG, INFO, WARNING or ERROR.")
    images: Images = Field(Images(), description="Where images come from.")
    models: tuple[SpeechModel, ...] = Field(
        (SpeechModel(name="base"),),
        min_length=1,
        max_length=16,
        json_schema_extra={**keyed("name"), "default": [{"name": "base"}]},
        description="Models that are served. Default: base.",
    )
    default_model: ModelName | None = Field(
        None, description="Name of the model for requests that name none, or whisper-1. Default: the first of models."
    )
    workers: Workers = Field(Workers(), json_schema_extra={"x-default": {}}, description="The pods that transcribe.")
    api: Api = Field(Api(), description="The pods that answer HTTP.")
    postgres: Postgres = Field(Postgres(), description="Where jobs are recorded. Default: run by the operator.")
    redis: Redis = Field(Redis(), description="The doorbell between API and workers. Default: run by the operator.")
    objects: Objects = Field(
        Objects(), description="Where audio and transcripts are kept. Default: run by the operator."
    )
    monitoring: Monitoring = Field(Monitoring(), description="How Prometheus finds the metrics.")
    tracing: Tracing | None = Field(None, description="Where traces of requests go. Default: nowhere, there are none.")
    fetch: Fetch = Field(Fetch(), description="How audio is fetched that is not sent.")
    output: Output = Field(Output(), description="Where results may be written besides.")
    tls: Tls = Field(Tls(), description="How connections between the parts are encrypted. Default: all, by our own CA.")
    network_policy: NetworkPolicy = Field(
        NetworkPolicy(),
        json_schema_extra={"x-default": {}},
        description="NetworkPolicies of its pods. Default: made, and the API open to every pod of the cluster.",
    )

    @property
    def main_model(self) -> SpeechModel:
        """The model of requests that name none."""
        wanted = self.default_model
        return next((m for m in self.models if wanted == m.name or wanted in m.aliases), self.models[0])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [name for model in self.models for name in (model.name, *model.aliases)]
        if self.default_model is not None and self.default_model not in names:
            raise ValueError(f"defaultModel {self.default_model} is none of models: {', '.join(names)}")
        if len(names) != len(set(names)):
            raise ValueError("models: each name and alias may be given once")
        if len({model.engine for model in self.models}) > 1:
            raise ValueError("models: all must use the same engine; make a second WhisperTranscriber for the other")
        for store in ("postgres", "redis", "objects"):
            if getattr(self.network_policy.egress, store) and not getattr(self, store).external:
                raise ValueError(
                    f"networkPolicy.egress.{store} is for one of yours: remove it, or set {store}.external"
                )
        if self.network_policy.egress.tracing and self.tracing is None:
            raise ValueError("networkPolicy.egress.tracing is for a collector: remove it, or set tracing")
        return self


class ScalingStatus(Lenient):
    """What autoscaling has decided."""

    desired: int = Field(0, description="Worker pods that there should be.")
    reason: str = Field(
        "",
        description="AsNeeded, Stabilising, AtMinimum, AtMaximum or MetricUnavailable; External or KedaNotFound.",
        examples=["AsNeeded"],
    )
    message: str = Field("", description="What it follows from, as it was when desired or reason last changed.")
    last_scale_time: datetime | None = Field(None, description="When desired last changed.")


class WorkerStatus(Lenient):
    """How many workers there are."""

    replicas: int = Field(0, description="Worker pods that exist.")
    ready: int = Field(0, description="Worker pods that are ready.")
    autoscaling: ScalingStatus | None = Field(None, description="With spec.workers.autoscaling: how many, and why.")


class TranscriberStatus(Lenient):
    """What was seen when this resource was last looked at."""

    observed_generation: int = Field(0, description="The metadata.generation that was last acted on; -1: none yet.")
    conditions: tuple[Condition, ...] = Field(
        (),
        max_length=32,
        json_schema_extra=keyed("type"),
        description="Ready, Reconciling, Stalled, DatabaseReady, QueueReady, ObjectsReady, WorkersReady, ApiReady and "
        "CertificatesReady.",
    )
    workers: WorkerStatus = Field(WorkerStatus(), description="How many workers there are.")
    queued_jobs: int | None = Field(
        None, ge=0, description="Jobs that wait for a worker, as of the last half minute. Absent while nobody can tell."
    )
    selector: str = Field("", description="Label selector of the worker pods, for the scale subresource.")
    endpoint: str = Field("", description="URL of the API inside the cluster.")
    version: str = Field("", description="Version of the transcriber that runs.")
    model: str = Field("", description="Name of the default model.")


class WhisperTranscriber(Resource):
    """A speech-to-text service: API, workers, database, queue and object store."""

    KIND: ClassVar[str] = TRANSCRIBER_KIND
    spec: TranscriberSpec = TranscriberSpec()
    status: TranscriberStatus | None = None

    def owner(self) -> dict[str, Any]:
        """The ownerReference of its children."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.KIND,
            "name": self.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
