"""Where a TranscriptionJob's audio is."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import Model, ObjectName, SecretKey, rules

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=4096)]
S3Url = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1200)]


class Http(Model):
    """Audio at a URL, fetched by the transcriber."""

    url: Url = Field(
        description="http:// or https:// URL of an audio or video file. Private addresses are refused unless the "
        "transcriber's spec.fetch.allowPrivateNetworks is true."
    )


class S3Object(Model):
    """Audio in a bucket, fetched by the transcriber."""

    url: S3Url = Field(
        description="s3://bucket/key of an audio or video file. The bucket must be one of the transcriber's "
        "spec.fetch.s3, which says where it is and by which keys it is read."
    )


class ConfigMapKey(Model):
    """Audio in a ConfigMap, for clips up to 1 MiB."""

    name: ObjectName = Field(description="Name of the ConfigMap, in the namespace of this resource.")
    key: SecretKey = Field(description="Key (of binaryData or data) that holds the audio file.")


class JobSource(
    Model,
    json_schema_extra=rules(
        (
            "[has(self.http), has(self.s3), has(self.configMap)].filter(given, given).size() == 1",
            "spec.source takes exactly one of http, s3 and configMap",
        )
    ),
):
    """Where the audio is: exactly one of these."""

    http: Http | None = Field(None, description="At a URL.")
    s3: S3Object | None = Field(None, description="In a bucket.")
    config_map: ConfigMapKey | None = Field(None, description="In a ConfigMap.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(given is not None for given in (self.http, self.s3, self.config_map)) != 1:
            raise ValueError("takes exactly one of http, s3 and configMap")
        return self
