"""How audio is fetched that is not sent, by URL and out of buckets; and the buckets that results are written to."""

from typing import Annotated

from pydantic import Field, StringConstraints

from whisper_operator.api.names import REGION
from whisper_operator.api.v1alpha1.base import UNIQUE, LocalRef, Model, keyed
from whisper_operator.api.v1alpha1.stores import SecretCa

Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$", max_length=63)]
Endpoint = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+/?$", max_length=512)]
Tenant = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=64)]


class _GivenBucket(Model):
    bucket: Bucket = Field(description="Its name, which jobs write as s3://bucket/key.")
    endpoint: Endpoint | None = Field(
        None,
        description="URL of the S3 API, such as https://s3.example.com; it may be private, since it is you who "
        "says it. Default: Amazon's, in the region.",
    )
    region: str = Field(REGION, min_length=1, max_length=64, description="Region of the bucket.")
    secret_ref: LocalRef | None = Field(
        None,
        description="Secret with the keys access-key and secret-key. Default: what the workers' pods have by "
        "themselves, such as the role of their ServiceAccount.",
    )
    tenants: tuple[Tenant, ...] = Field(
        (),
        max_length=64,
        json_schema_extra=UNIQUE,
        description="Whose jobs may name it; TranscriptionJobs are of the tenant default. Default: everybody's.",
    )


class SourceBucket(_GivenBucket):
    """A bucket that jobs may name as their source; it is only read."""


class OutputBucket(_GivenBucket):
    """A bucket that jobs may have their results written to."""

    prefix: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="What the keys of all that is written must begin with, such as transcripts/. Default: anything.",
    )


class Output(Model):
    """Where results may be written besides the transcriber's own object store."""

    s3: tuple[OutputBucket, ...] = Field(
        (),
        max_length=16,
        json_schema_extra=keyed("bucket"),
        description="Buckets that jobs may name in their output. Default: none.",
    )


class Fetch(Model):
    """How audio is fetched."""

    allow_private_networks: bool = Field(
        False,
        description="Fetch from private, loopback and link-local addresses too, where networkPolicy lets it: to "
        "link-local ones it never does. Anyone with the API key could then reach servers inside your network.",
    )
    timeout_seconds: int = Field(
        900, ge=1, le=86400, description="Seconds that fetching one file may take in all. The default is 15 minutes."
    )
    ca_secret_ref: SecretCa | None = Field(
        None,
        description="Secret with authorities that servers of URLs, webhooks and buckets may be certified by, beside "
        "the public ones; only workers see it, and read it anew when it changes. Default: the public ones.",
    )
    s3: tuple[SourceBucket, ...] = Field(
        (),
        max_length=16,
        json_schema_extra=keyed("bucket"),
        description="Buckets that jobs may name as their source. Default: none.",
    )
