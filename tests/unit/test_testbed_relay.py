"""The relay's pump, without a namespace."""

import asyncio

from testbed import relay


async def test_each_direction_ends_on_its_own() -> None:
    """A client that has said all still gets its answer: its end must not close the other direction."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())  # reads until the client's end
        writer.close()

    async def between(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection(*server.sockets[0].getsockname())
        await asyncio.gather(relay.pump(near_reader, far), relay.pump(far_reader, near))
        far.close()
        near.close()

    async with (
        await asyncio.start_server(shout, "127.0.0.1", 0) as server,
        await asyncio.start_server(between, "127.0.0.1", 0) as middle,
    ):
        reader, writer = await asyncio.open_connection(*middle.sockets[0].getsockname())
        writer.write(b"hello " * 100_000)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert answer == b"HELLO " * 100_000
