"""Redis behind Sentinels, and a cluster of it, of real processes: the bell rings across them, also after a death."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from services.servers import PASSWORD, Server, free_port, redis_server, until
from whisper_transcriber.bell.clients import parse
from whisper_transcriber.bell.memory import Ear
from whisper_transcriber.bell.redis import RedisBell

SHORT, PATIENCE = 0.05, 60
NOBODY = "127.0.0.1:1"


@asynccontextmanager
async def pair(first: str, second: str) -> AsyncIterator[tuple[RedisBell, Ear]]:
    """A bell that rings and, by another URL, an ear of another one, which has heard what it hears at its beginning."""
    ringing, hearing = RedisBell(first), RedisBell(second)
    try:
        async with hearing.listen("a") as ear:
            await until(hearing.healthy, "the bell to be there", PATIENCE)
            while await ear.heard(SHORT):
                pass
            yield ringing, ear
    finally:
        await ringing.close()
        await hearing.close()


async def rung(bell: RedisBell, ear: Ear) -> None:
    """Wait until a ring is heard. Rings while nobody is there are lost, and said to be."""

    async def once() -> bool:
        await bell.ring("a")
        return bool(await ear.heard(0.2))

    await until(once, "the bell to ring", PATIENCE)


async def tell(server: Server, *words: object) -> object:
    """One command to one server."""
    async with Redis(host="127.0.0.1", port=server.port, password=PASSWORD) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def says(server: Server, holds: Callable[[str], bool], *words: object) -> None:
    """Wait until the answer to a command is so, written as `key:value`."""

    async def so() -> bool:
        return holds(str(await tell(server, *words)).replace("'", "").replace(" ", ""))

    await until(so, f"{words}", PATIENCE)


async def test_the_bell_follows_what_sentinel_names() -> None:
    first = redis_server()
    second = redis_server(f"replicaof 127.0.0.1 {first.port}")
    watched = (
        f"sentinel monitor bells 127.0.0.1 {first.port} 1",
        f"sentinel auth-pass bells {PASSWORD}",
        *(f"sentinel {rule} bells {ms}" for rule, ms in (("down-after-milliseconds", 500), ("failover-timeout", 2000))),
    )
    sentinel = redis_server(*watched, sentinel=True)
    await says(first, lambda said: "state:online" in said, "INFO", "replication")
    await says(sentinel, lambda said: str(second.port) in said, "SENTINEL", "REPLICAS", "bells")
    # The first of them is not there, which must not use up a ring's patience.
    places = f"{NOBODY},127.0.0.1:{sentinel.port}"
    url = f"redis+sentinel://:{PASSWORD}@{places}/bells/0?sentinel_password={PASSWORD}"
    async with pair(url, url) as (bell, ear):
        await bell.ring("a")
        assert await ear.heard(PATIENCE)
        first.stop()
        await rung(bell, ear)
        assert await bell.healthy()
        await says(second, lambda said: "role:master" in said, "INFO", "replication")
    for server in (sentinel, second):
        server.stop()


async def test_any_node_of_a_cluster_will_do() -> None:
    buses = [free_port() for _ in range(3)]
    nodes = [redis_server("cluster-enabled yes", f"cluster-port {bus}") for bus in buses]
    for index, (node, bus) in enumerate(zip(nodes, buses, strict=True)):
        await tell(node, "CLUSTER", "ADDSLOTSRANGE", index * 5462, min(index * 5462 + 5461, 16383))
        await tell(nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, bus)
    for node in nodes:
        await says(node, lambda said: "cluster_state:ok" in said and "known_nodes:3" in said, "CLUSTER", "INFO")

    def url(*order: int) -> str:
        return f"redis+cluster://:{PASSWORD}@" + ",".join(f"127.0.0.1:{nodes[n].port}" for n in order)

    async with pair(url(0, 1, 2), url(2, 1, 0)) as (bell, ear):
        await bell.ring("a")
        assert await ear.heard(PATIENCE), "what is published at one node is heard at another"
        nodes[0].stop()
        await rung(bell, ear)
        nodes[2].stop()
        await rung(bell, ear)
        assert await bell.healthy()
    nodes[1].stop()


async def test_a_wrong_password_is_no_health() -> None:
    node = redis_server()
    bell = RedisBell(f"redis+cluster://:wrong@127.0.0.1:{node.port}")
    assert not await bell.healthy()
    await bell.close()
    await asyncio.to_thread(node.stop)


def test_addresses() -> None:
    found = parse("rediss+sentinel://me:p%40ss@[::1]:7000,b/speech/3?sentinel_username=s&sentinel_password=t")
    assert found is not None
    assert (found.form, found.secure, found.service) == ("sentinel", True, "speech")
    assert found.places == (("::1", 7000), ("b", 26379))
    assert found.about == {"username": "me", "password": "p@ss", "db": 3}
    assert found.sentinel == {"username": "s", "password": "t"}
    found = parse("redis+cluster://a,b:7000")
    assert found is not None and found.places == (("a", 6379), ("b", 7000)) and not found.secure
    found = parse("redis+sentinel://a")
    assert found is not None and found.service == "mymaster"
    assert parse("redis://:p@a:1/0") is None


@pytest.mark.parametrize(
    "url",
    [
        "redis+ring://:secret@a",
        "http+cluster://:secret@a",
        "redis+cluster://:secret@a/0",
        "redis+sentinel://:secret@a/speech/first",
        "redis+sentinel://:secret@a:port",
        "redis+cluster://:secret@",
    ],
)
def test_a_url_of_no_form_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="a Redis URL") as refusal:
        parse(url)
    assert "secret" not in str(refusal.value)
