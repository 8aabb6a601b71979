"""A receiver of webhooks on loopback that answers as a test wants, and keeps what it was sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from services.servers import until

OK: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
SILENT: Final = b""
"""Take the request, and say nothing until the sender goes."""


def status(code: int, *headers: str) -> bytes:
    """An answer with that status and no body."""
    lines = [f"HTTP/1.1 {code} Status", "Content-Length: 0", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What was received; `answers` are said in turn, the last one for ever. An event: OK, once it is set."""

    port: int = 0
    answers: Sequence[bytes | asyncio.Event] = (OK,)
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?token=of-the-receiver"

    async def got(self, count: int, patience: float = 60) -> list[Received]:
        """The requests, once there are so many."""

        async def there() -> bool:
            return len(self.requests) >= count

        await until(there, f"{count} webhooks, of which {len(self.requests)} came", patience)
        return self.requests

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
            self.requests.append(Received(head[0], headers, body))
            if isinstance(answer, asyncio.Event):
                await answer.wait()
                answer = OK
            elif answer == SILENT:
                await reader.read()
            writer.write(answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver(*answers: bytes | asyncio.Event, **of: Any) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    made = Receiver(answers=answers or (OK,), **of)
    listening = await asyncio.start_server(made.handle, "127.0.0.1", made.port)
    async with listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made
