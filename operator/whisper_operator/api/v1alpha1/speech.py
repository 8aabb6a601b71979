"""The models that a transcriber serves, and where their files come from."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import UNIQUE, LocalRef, Model, ObjectName, rules

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=1, max_length=128)]
Engine = Literal["ctranslate2", "openai-whisper"]
ComputeType = Literal["auto", "int8", "float16", "float32"]
EncoderInput = Literal["auto", "full", "short"]
_NO_DOTS = "!self.contains('..')"


class HuggingFace(Model):
    """A repository of the Hugging Face hub."""

    repo: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$",
        max_length=192,
        description="Repository with a model in the engine's format, such as Systran/faster-whisper-small.",
    )
    revision: str | None = Field(
        None,
        pattern=r"^[^\s]+$",
        max_length=255,
        description="Branch, tag or commit; a commit never changes. Default: the repository's default branch.",
    )


class S3(Model):
    """A folder of an S3 bucket."""

    uri: str = Field(
        pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$", max_length=1024, description="Folder, as s3://bucket/prefix."
    )
    secret_ref: LocalRef | None = Field(
        None,
        description="Secret with the keys access-key and secret-key. Default: none; then spec.workers.pod.env may "
        "carry AWS_* variables. AWS_ENDPOINT_URL there names a store other than AWS.",
    )


class Claim(Model):
    """A folder of a volume of yours. It is mounted read-only."""

    claim_name: ObjectName = Field(description="Name of the PersistentVolumeClaim, in the namespace of this resource.")
    path: str = Field(
        "",
        pattern=r"^([^/].*)?$",
        max_length=512,
        json_schema_extra=rules((_NO_DOTS, "spec.models[].source.pvc.path must not contain '..'")),
        description="Folder of the model in the volume. Default: the volume's root.",
    )


class Source(
    Model,
    json_schema_extra=rules(
        (
            "[has(self.huggingFace), has(self.s3), has(self.pvc), has(self.path)].filter(given, given).size() == 1",
            "spec.models[].source takes exactly one of huggingFace, s3, pvc and path",
        )
    ),
):
    """Where a model's files are: exactly one of these."""

    hugging_face: HuggingFace | None = Field(None, description="From the Hugging Face hub, or a mirror in HF_ENDPOINT.")
    s3: S3 | None = Field(None, description="From an S3 bucket.")
    pvc: Claim | None = Field(None, description="From a volume.")
    path: str | None = Field(
        None,
        pattern=r"^/.+$",
        max_length=512,
        json_schema_extra=rules((_NO_DOTS, "spec.models[].source.path must not contain '..'")),
        description="Absolute folder in the worker's image. Absent: one of the others.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.hugging_face, self.s3, self.pvc, self.path].count(None) != 3:
            raise ValueError("takes exactly one of huggingFace, s3, pvc and path")
        return self


class SpeechModel(Model):
    """A Whisper model."""

    name: ModelName = Field(
        description="What requests call it, and, without a source, which model it is: tiny, base, small, medium, "
        "large-v3, large-v3-turbo, or a name with .en."
    )
    aliases: tuple[ModelName, ...] = Field(
        (), max_length=8, json_schema_extra=UNIQUE, description="Other names that requests may use. Default: none."
    )
    source: Source | None = Field(
        None,
        description="Where its files come from. Default: the worker's image if it has them, else the hub, by name.",
    )
    digest: str | None = Field(
        None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        max_length=71,
        description="SHA-256 of the file with the weights (model.bin, or openai-whisper's own .pt), as sha256:<64 hex "
        "digits>; others are refused. Default: any.",
    )
    engine: Engine = Field("ctranslate2", description="What runs it. All models of a transcriber use the same one.")
    compute_type: ComputeType = Field(
        "auto",
        description="Arithmetic of the weights: int8 (ctranslate2 only), float16 (GPUs only) or float32. auto: float16 "
        "on GPUs; on CPUs int8 with ctranslate2, float32 with openai-whisper, which takes twice the memory.",
    )
    encoder_input: EncoderInput = Field(
        "auto",
        description="What the encoder is shown of a window: full (30 s), or short (the speech and 2 s of silence), "
        "which is faster and costs accuracy. auto: short on CPUs for weights and languages in which it was measured.",
    )
