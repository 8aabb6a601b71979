"""A job's audio out of a bucket: the ones that the service was given, and for whom."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from services import servers
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.http import Limits
from whisper_transcriber.fetch.s3 import fetch_s3
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.settings import S3Source, load_settings

LIMITS = Limits(max_bytes=1000, max_seconds=30)


@pytest.fixture
async def source() -> S3Source:
    """A bucket with a small and a large object, for one tenant."""
    store = servers.s3()
    name = f"calls-{uuid4().hex}"
    objects = S3Objects(Bucket(name, "us-east-1", store.endpoint, store.access_key, store.secret_key))
    await objects.prepare()
    for key, size in (("2026/a b.wav", 900), ("large", 2000)):
        await objects.put(key, body(size))
    given = {"bucket": name, "endpoint": store.endpoint, "accessKey": store.access_key, "tenants": ["one"]}
    [read] = load_settings(s3_sources=json.dumps([given | {"secretKey": store.secret_key}])).s3_sources
    return read


async def body(size: int) -> AsyncIterator[bytes]:
    yield bytes(size)


async def got(source: S3Source, key: str, tenant: str = "one") -> bytes:
    return b"".join([chunk async for chunk in fetch_s3(f"s3://{source.bucket}/{key}", tenant, [source], LIMITS)])


async def test_an_object_comes_through(source: S3Source) -> None:
    assert await got(source, "2026/a b.wav") == bytes(900)


async def test_what_is_not_there_or_too_large_or_not_theirs_is_refused(source: S3Source) -> None:
    for key, tenant, says in (
        ("nothing", "one", "no object"),
        ("large", "one", "limit of 1000"),
        ("2026/", "one", "names no object"),
        ("2026/a b.wav", "two", "not one that this service may read"),
    ):
        with pytest.raises(FetchFailed, match=says):
            await got(source, key, tenant)


async def test_wrong_keys_are_a_reason_and_no_secret_is_told(source: S3Source) -> None:
    wrong = source.model_copy(update={"secret_key": type(source.secret_key)("swordfish")})
    with pytest.raises(FetchFailed, match="could not be read") as caught:
        await got(wrong, "2026/a b.wav")
    assert "swordfish" not in str(caught.value)
    assert "swordfish" not in repr(wrong)
