"""Writes results into a bucket that the service was given for that: no other bucket, and never its own."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.s3 import bucket_of, parts_of
from whisper_transcriber.objects.port import Missing, Unavailable
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.settings import S3Output


def output_of(url: str, tenant: str, outputs: Sequence[S3Output]) -> tuple[S3Output, str]:
    """The bucket that an s3:// URL means, and the object's key. Raises FetchFailed where the tenant may not write."""
    name, key = parts_of(url)
    found = next((each for each in outputs if each.bucket == name and tenant in (each.tenants or (tenant,))), None)
    if found is None:
        raise FetchFailed(f"the bucket {name!r} is not one that this service may write to for you")
    if not key.startswith(found.prefix):
        raise FetchFailed(f"this service may write to the bucket {name!r} only below {found.prefix!r}")
    return found, key


async def write_s3(
    files: Mapping[str, tuple[bytes, str]],
    tenant: str,
    outputs: Sequence[S3Output],
    max_seconds: float,
    authorities: Path | None = None,
) -> None:
    """Write each body, with its content type, to its s3:// URL; what is there is replaced.

    `authorities`: a file (PEM) with more of them than the public ones, by which the store may be certified.

    Raises:
        FetchFailed: with the reason; some of them may be written.
    """
    try:
        async with asyncio.timeout(max_seconds):
            for url, (body, content_type) in files.items():
                output, key = output_of(url, tenant, outputs)
                await _put(bucket_of(output, authorities), key, body, content_type)
    except TimeoutError:
        raise FetchFailed("the bucket took too long") from None


async def _put(bucket: Bucket, key: str, body: bytes, content_type: str) -> None:
    name = bucket.name
    try:
        await S3Objects(bucket).put_bytes(key, body, content_type)
    except Missing:
        raise FetchFailed(f"there is no bucket {name!r} at its endpoint") from None
    except Unavailable as error:
        refused = error.word == "access refused"
        why = "refuses what its keys may do" if refused else "could not be written to"
        raise FetchFailed(f"the bucket {name!r} {why}") from error
