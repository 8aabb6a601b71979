"""What every object store promises, and how S3's bucket comes to be."""

import random
from collections.abc import AsyncIterator

import pytest

from services import servers
from whisper_transcriber.objects.port import Missing, Objects, Unavailable
from whisper_transcriber.objects.s3 import Bucket, S3Objects

MIB = 1024**2


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for chunk in given:
        yield chunk


async def read(objects: Objects, key: str) -> bytes:
    return b"".join([chunk async for chunk in objects.get(key)])


@pytest.mark.parametrize("given", [(), (b"",), (b"abc",), (b"ab", b"", b"c"), (bytes(MIB) + b"x",) * 20])
async def test_what_was_put_comes_back(objects: Objects, given: tuple[bytes, ...]) -> None:
    size = await objects.put("jobs/1/audio", chunks(*given))
    assert size == sum(map(len, given))
    assert await read(objects, "jobs/1/audio") == b"".join(given)


async def test_a_put_replaces(objects: Objects) -> None:
    await objects.put("a", chunks(b"old"))
    await objects.put("a", chunks(b"new"))
    assert await read(objects, "a") == b"new"


async def test_a_large_object_is_read_in_small_chunks(objects: Objects) -> None:
    await objects.put("a", chunks(*[bytes(MIB)] * 20))
    assert max([len(chunk) async for chunk in objects.get("a")]) <= 4 * MIB


async def test_what_is_not_there_is_missing(objects: Objects) -> None:
    with pytest.raises(Missing):
        await read(objects, "jobs/1/audio")
    for start, end in ((0, 10), (5, None), (3, 3)):
        with pytest.raises(Missing):
            [chunk async for chunk in objects.get("jobs/1/audio", start, end)]


@pytest.mark.parametrize("size", [0, 1, 4096, 3 * MIB + 5])
async def test_a_range_is_a_slice(objects: Objects, size: int) -> None:
    data = random.Random(size).randbytes(size)
    await objects.put("a", chunks(data))
    for start in (0, 1, 4095, 4096, size // 2, size - 1, size, size + 1, size + 10 * MIB):
        for end in (None, start, start + 1, start + 4096, size - 1, size, size + 1):
            if start >= 0 and (end is None or end >= 0):
                got = b"".join([chunk async for chunk in objects.get("a", start, end)])
                assert got == data[start:end], (start, end)


async def test_a_folder_is_listed(objects: Objects) -> None:
    for key in ("jobs/1/audio", "jobs/1/parts/3", "jobs/11/audio", "uploads/1/a"):
        await objects.put(key, chunks(b"x"))
    assert {key async for key in objects.list("jobs/1/")} == {"jobs/1/audio", "jobs/1/parts/3"}
    assert len([key async for key in objects.list("jobs/")]) == 3
    assert [key async for key in objects.list("nothing/")] == []


@pytest.mark.parametrize("count", [1, 20])
async def test_a_broken_source_leaves_nothing_and_its_own_error(objects: Objects, count: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(MIB)
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await objects.put("jobs/1/audio", broken())
    with pytest.raises(Missing):
        await read(objects, "jobs/1/audio")


async def test_deleting_a_folder_leaves_the_others(objects: Objects) -> None:
    for key in ("jobs/1/audio", "jobs/1/result.json", "jobs/11/audio"):
        await objects.put(key, chunks(b"x"))
    await objects.delete_folder("jobs/1/")
    await objects.delete_folder("jobs/1/")
    for gone in ("jobs/1/audio", "jobs/1/result.json"):
        with pytest.raises(Missing):
            await read(objects, gone)
    assert await read(objects, "jobs/11/audio") == b"x"


async def test_one_object_is_deleted_and_no_other(objects: Objects) -> None:
    for key in ("jobs/1/parts/1", "jobs/1/parts/10"):
        await objects.put(key, chunks(b"x"))
    await objects.delete("jobs/1/parts/1")
    await objects.delete("jobs/1/parts/1")
    with pytest.raises(Missing):
        await read(objects, "jobs/1/parts/1")
    assert await read(objects, "jobs/1/parts/10") == b"x"


async def test_a_prepared_store_is_ready_and_may_be_prepared_again(objects: Objects) -> None:
    await objects.prepare()
    await objects.ready()


async def test_a_bucket_that_is_not_there_is_not_ready(bucket: Bucket) -> None:
    with pytest.raises((Unavailable, Missing)):
        await S3Objects(bucket).ready()


async def test_wrong_keys_are_unavailable_and_not_told(bucket: Bucket) -> None:
    wrong = Bucket(bucket.name, bucket.region, bucket.endpoint, bucket.access_key, "swordfish")
    with pytest.raises(Unavailable) as caught:
        await S3Objects(wrong).prepare()
    assert "403" in str(caught.value)
    assert "swordfish" not in str(caught.value)


async def test_a_server_that_is_away_is_unavailable(bucket: Bucket) -> None:
    away = Bucket(bucket.name, bucket.region, f"http://127.0.0.1:{servers.free_port()}", "k", "s")
    with pytest.raises(Unavailable):
        await S3Objects(away).prepare()


@pytest.mark.parametrize("size", [MIB, 9 * MIB], ids=["one request", "in parts"])
async def test_what_a_server_that_is_away_does_not_take_is_unavailable(bucket: Bucket, size: int) -> None:
    away = Bucket(bucket.name, bucket.region, f"http://127.0.0.1:{servers.free_port()}", "k", "s")
    with pytest.raises(Unavailable):
        await S3Objects(away).put("jobs/1/audio", chunks(bytes(size)))
