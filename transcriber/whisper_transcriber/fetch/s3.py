"""Streams a user's object out of a bucket that the service was given: no other bucket, and never its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from time import monotonic

from whisper_transcriber.domain.outputs import SCHEME
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.http import Limits
from whisper_transcriber.objects.port import Missing, Unavailable
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.settings import S3Source
from whisper_transcriber.trust import Trust


def parts_of(url: str) -> tuple[str, str]:
    """The names of the bucket and of the object in an s3:// URL."""
    name, _, key = url.removeprefix(SCHEME).partition("/")
    return name, key


def bucket_of(source: S3Source, authorities: Path | None = None) -> Bucket:
    """The bucket as its client takes it; `authorities` is a file with more of them than the public ones."""
    keys = source.access_key.get_secret_value(), source.secret_key.get_secret_value()
    return Bucket(source.bucket, source.region, source.endpoint, *keys, Trust(authorities) if authorities else None)


def source_of(url: str, tenant: str, sources: Sequence[S3Source]) -> tuple[S3Source, str]:
    """The bucket that an s3:// URL means, and the object's key. Raises FetchFailed if the tenant may not read there."""
    name, key = parts_of(url)
    found = next((each for each in sources if each.bucket == name and tenant in (each.tenants or (tenant,))), None)
    if found is None:
        raise FetchFailed(f"the bucket {name!r} is not one that this service may read for you")
    if not key or key.endswith("/"):
        raise FetchFailed("the URL names no object")
    return found, key


async def fetch_s3(url: str, tenant: str, sources: Sequence[S3Source], limits: Limits) -> AsyncGenerator[bytes, None]:
    """The object behind `url`, in chunks.

    Raises:
        FetchFailed: at the first step or later, with the reason.
    """
    source, key = source_of(url, tenant, sources)
    deadline, size = monotonic() + limits.max_seconds, 0
    async with aclosing(S3Objects(bucket_of(source, limits.authorities)).get(key)) as chunks:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), max(0.0, deadline - monotonic()))
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise FetchFailed("the bucket took too long") from None
            except Missing:
                raise FetchFailed(f"there is no object {key!r} in the bucket {source.bucket!r}") from None
            except Unavailable:
                raise FetchFailed(f"the bucket {source.bucket!r} could not be read") from None
            size += len(chunk)
            if size > limits.max_bytes:
                raise FetchFailed(f"the file has more than the limit of {limits.max_bytes} bytes")
            yield chunk
