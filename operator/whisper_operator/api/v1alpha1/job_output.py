"""Where a TranscriptionJob's result is written besides."""

from typing import Annotated

from pydantic import Field, StringConstraints

from whisper_operator.api.v1alpha1.base import Model

# No part of the key begins with a dot: `..` would leave the prefix in whatever reads the bucket as folders.
OUTPUT_URL = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/.\x00-\x1f][^/\x00-\x1f]*/)*([^/.\x00-\x1f][^/\x00-\x1f]*)?$"
OutputUrl = Annotated[str, StringConstraints(pattern=OUTPUT_URL, max_length=640)]


class S3Prefix(Model):
    """Objects of a bucket, written by the transcriber."""

    url: OutputUrl = Field(
        description="s3://bucket/prefix: what the objects' keys begin with. Each format adds its ending: .json, .txt, "
        ".srt, .vtt, .verbose.json; after a slash comes the name of this resource. What has such a key is replaced. "
        "The bucket must be one of the transcriber's spec.output.s3, which says where it is and whose keys write it."
    )


class JobOutput(Model):
    """Where the result is written besides the transcriber's own object store."""

    s3: S3Prefix = Field(description="In a bucket.")
