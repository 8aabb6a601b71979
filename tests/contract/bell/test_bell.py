"""What every bell promises, and what Redis's costs when it is away."""

import asyncio
import time

from redis.asyncio import Redis

from services import servers
from services.servers import until
from whisper_transcriber.bell.port import Bell
from whisper_transcriber.bell.redis import RedisBell

LONG, SHORT = 30.0, 0.05


async def test_a_ring_wakes_all_who_listen_to_its_topic(bell: Bell) -> None:
    async with bell.listen("a") as first, bell.listen("a") as second, bell.listen("b") as other:
        while await other.heard(SHORT):  # a bell that connects rings everybody once
            pass
        await bell.ring("a")
        assert all(await asyncio.gather(first.heard(LONG), second.heard(LONG)))
        assert not await other.heard(SHORT)


async def test_a_ring_before_waiting_is_not_missed(bell: Bell) -> None:
    async with bell.listen("a") as ear:
        while await ear.heard(SHORT):
            pass
        await bell.ring("a")
        await bell.ring("a")
        assert await ear.heard(LONG)


async def test_silence_is_no_ring(bell: Bell) -> None:
    async with bell.listen("a") as ear:
        while await ear.heard(SHORT):
            pass
        assert not await ear.heard(SHORT)


async def test_however_many_ring_at_once_redis_has_few_connections() -> None:
    redis, failures = servers.new_redis(), list[None]()
    bell = RedisBell(redis.url, lambda: failures.append(None))
    await asyncio.gather(*(bell.ring(f"topic {number}") for number in range(300)))
    async with Redis.from_url(redis.url) as other:
        assert len(await other.client_list()) <= 8 + 1
    assert failures == []
    await bell.close()


async def test_redis_that_is_away_delays_nobody_who_begins_to_listen() -> None:
    redis = servers.new_redis()
    redis.server.stop()
    bell = RedisBell(redis.url)
    async with bell.listen("first"):  # this one may have to find out
        started = time.monotonic()
        for _ in range(10):
            async with bell.listen("a") as ear:
                assert not await ear.heard(0)
        assert time.monotonic() - started < 1
    await bell.close()


async def test_redis_that_dies_costs_no_error_and_comes_back() -> None:
    failures: list[None] = []
    redis = servers.new_redis()
    bell = RedisBell(redis.url, lambda: failures.append(None))
    async with bell.listen("a") as ear:
        redis.server.stop()
        started = time.monotonic()
        await bell.ring("a")
        assert time.monotonic() - started < 2
        assert failures
        assert not await bell.healthy()
        redis.server.start()

        async def rings() -> bool:
            await bell.ring("a")
            return await ear.heard(0.2)

        await until(rings, "the bell to ring again")
        assert await bell.healthy()
    await bell.close()
    redis.server.stop()
