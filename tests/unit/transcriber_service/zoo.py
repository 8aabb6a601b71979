"""Servers for a fetcher to meet, which say what they are told to, and a resolver that changes its mind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server on an address of its own, and how many have connected to it."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def server(say: Say, address: str = OUTSIDE) -> AsyncIterator[Server]:
    made = Server()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.requests.append(b"")
        try:
            made.requests[-1] = await reader.readuntil(b"\r\n\r\n")
            await say(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the fetcher has had enough
        finally:
            writer.close()

    async with await asyncio.start_server(handle, address, 0) as listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made


def says(answer: bytes) -> Say:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


def again_and_again(head: bytes, piece: bytes, pause: float = 0) -> Say:
    """It goes on until nobody listens."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _ in itertools.count():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return say


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class Names:
    """A resolver of one's own: each host's addresses, the next time that it is asked the next ones."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {host.replace("_", "."): iter(lists) for host, lists in answers.items()}
        self.asked = 0

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked += 1
        return next(self._answers[host])
