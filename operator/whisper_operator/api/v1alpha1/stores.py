"""PostgreSQL, Redis and the object store: each either run by the operator or yours."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from whisper_operator.api.names import KEY_CA, KEY_OBJECTS_KEYS, KEY_URI, REGION
from whisper_operator.api.v1alpha1.base import LocalRef, Model, ObjectName, Quantity, SecretKey, rules
from whisper_operator.api.v1alpha1.parameters import PARAMETER_RULES, ParameterName, ParameterValue, checked
from whisper_operator.api.v1alpha1.pods import PodOptions

StorageClass = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]

_LEAST = "256Mi"


def _storage(field: str) -> dict[str, Any]:
    """Sizes like 8 (bytes) are slips of the pen; better refused than bound to a volume that cannot work."""
    return rules(
        (
            f"isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('{_LEAST}')) >= 0",
            f"spec.{field}.managed.storage must be at least {_LEAST}; write a size with its unit, such as 8Gi",
        )
    )


def either(field: str) -> dict[str, Any]:
    """CEL: managed or external, not both."""
    return rules(
        (
            "!(has(self.managed) && has(self.external))",
            f"spec.{field} takes either managed or external: remove one of them",
        )
    )


class SecretUri(Model):
    """A key of a Secret that holds a connection URI."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field(KEY_URI, description="Key whose value is the URI.")


class SecretCa(Model):
    """A key of a Secret that holds certificates of authorities."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field(KEY_CA, description="Key whose value is certificates in PEM.")


class ManagedPostgres(Model):
    """PostgreSQL 17, one instance with its volume."""

    storage: Quantity = Field(
        "8Gi", json_schema_extra=_storage("postgres"), description="Size of the volume; it may grow, never shrink."
    )
    storage_class_name: StorageClass | None = Field(
        None, description="StorageClass of the volume; cannot be changed. Default: the cluster's default class."
    )
    parameters: Annotated[dict[ParameterName, ParameterValue], AfterValidator(checked)] = Field(
        {},
        max_length=64,
        json_schema_extra=PARAMETER_RULES,
        description='Settings of postgresql.conf as strings, such as max_connections: "400", before those that follow '
        "from the pod's memory and the volume. The server restarts only where one needs it. Default: none.",
    )
    pod: PodOptions = Field(PodOptions(), description="How the pod runs.")


class ExternalPostgres(Model):
    """A PostgreSQL of yours (14 or newer)."""

    secret_ref: SecretUri = Field(
        description="Secret with postgresql://user:password@host:5432/database; the user must own the schema."
    )
    ca_secret_ref: SecretCa | None = Field(
        None,
        description="Secret with the authorities that the server's certificate is verified by. The sslmode is the "
        "URI's; without one it is verify-full. Default: as the URI says.",
    )


class _Either(Model):
    @model_validator(mode="after")
    def _one(self) -> Self:
        if getattr(self, "managed", None) is not None and getattr(self, "external", None) is not None:
            raise ValueError("takes either managed or external: remove one of them")
        return self


class Postgres(_Either, json_schema_extra=either("postgres")):
    """Where jobs are recorded."""

    managed: ManagedPostgres | None = Field(None, description="Run by the operator. This is the default.")
    external: ExternalPostgres | None = Field(None, description="Yours; the operator runs none then.")


class ManagedRedis(Model):
    """Redis 8, one instance with its volume. It only wakes workers and caches: losing it loses no job."""

    storage: Quantity = Field(
        "1Gi", json_schema_extra=_storage("redis"), description="Size of the volume; it may grow, never shrink."
    )
    storage_class_name: StorageClass | None = Field(
        None, description="StorageClass of the volume; cannot be changed. Default: the cluster's default class."
    )
    max_memory: Quantity = Field(
        "128Mi",
        description="Memory for data; past it the least recently used cache entries go. The pod's limit is twice that.",
    )
    pod: PodOptions = Field(PodOptions(), description="How the pod runs.")


class ExternalRedis(Model):
    """A Redis of yours (7 or newer)."""

    secret_ref: SecretUri = Field(
        description="Secret with redis://:password@host:6379/0; for Sentinels redis+sentinel://:password@host:26379,"
        "host:26379/service; for a cluster redis+cluster://:password@host:6379,host:6379. TLS: rediss in the place of "
        "redis."
    )
    ca_secret_ref: SecretCa | None = Field(
        None,
        description="Secret with the authorities that the server's certificate is verified by, for rediss://. "
        "Default: the public ones.",
    )


class Redis(_Either, json_schema_extra=either("redis")):
    """The doorbell between API and workers."""

    managed: ManagedRedis | None = Field(None, description="Run by the operator. This is the default.")
    external: ExternalRedis | None = Field(None, description="Yours; the operator runs none then.")


class ManagedObjects(Model):
    """An S3 server (versitygw) over one volume."""

    storage: Quantity = Field(
        "20Gi", json_schema_extra=_storage("objects"), description="Size of the volume; it may grow, never shrink."
    )
    storage_class_name: StorageClass | None = Field(
        None, description="StorageClass of the volume; cannot be changed. Default: the cluster's default class."
    )
    pod: PodOptions = Field(PodOptions(), description="How the pod runs.")


class ExternalObjects(Model):
    """An S3 bucket of yours. It must exist."""

    endpoint: str = Field(
        pattern=r"^https?://[^\s/]+/?$",
        max_length=512,
        description="URL of the S3 API, such as https://s3.example.com.",
    )
    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$", max_length=63, description="Name of the bucket; it must exist."
    )
    region: str = Field(REGION, min_length=1, max_length=64, description="Region of the bucket.")
    secret_ref: LocalRef = Field(description="Secret with the keys access-key and secret-key.")
    ca_secret_ref: SecretCa | None = Field(
        None,
        description="Secret with authorities that the server's certificate may be verified by, beside the public ones.",
    )


class SecretKeys(Model):
    """A key of a Secret that holds encryption keys."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field(
        KEY_OBJECTS_KEYS,
        description="Key whose value has a line `id: 64 hexadecimal digits` for each key; the first one encrypts.",
    )


class Encryption(Model):
    """AES-256-GCM, before anything leaves a pod; a key for each object, wrapped by one of yours."""

    secret_ref: SecretKeys | None = Field(
        None,
        description="Secret with the keys. Default: <name>-objects-keys, made by the operator. Back it up: without it "
        "audio and transcripts are lost.",
    )
    read_unencrypted: bool = Field(
        False, description="Also read what was written before this was switched on. Anything else is refused."
    )


class Objects(_Either, json_schema_extra=either("objects")):
    """Where audio and transcripts are kept."""

    managed: ManagedObjects | None = Field(None, description="Run by the operator. This is the default.")
    external: ExternalObjects | None = Field(None, description="Yours; the operator runs none then.")
    encryption: Encryption | None = Field(
        None,
        description="Encrypt audio and transcripts before they are stored. Default: no, which is right where the "
        "volume or bucket is encrypted already.",
    )
