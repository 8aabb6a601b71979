"""A client at a stream of events, and a worker that it hears from."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.servers import until
from unit.transcriber_service.calls import CLIP, SYNC
from whisper_transcriber.bell.port import ended, moved
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.domain.transcript import Segment, Token, WindowResult, Word
from whisper_transcriber.domain.window import Window

ABOUT = About("transcribe", "en", 20.0, "base", "sha256:1", "ctranslate2")


def window(index: int, text: str, sure: float = 0.9) -> WindowResult:
    start = 10.0 * index
    tokens = tuple(Token(f" {word}".encode().hex(), -0.5) for word in text.split())
    words = tuple(Word(start, start + 1, bytes.fromhex(token.utf8).decode(), 0.6, (token,)) for token in tokens)
    segment = Segment(start, start + 9, f" {text}", tuple(range(len(words))), 0.0, -0.2, 1.0, 0.0, words)
    return WindowResult(Window(index, start, start + 10), "en", sure, (segment,) if text else ())


async def record(deps: Deps, claimed: Claim, *made: WindowResult) -> None:
    await deps.store.checkpoint(claimed, made, 60)
    await deps.bell.ring(moved(claimed.job.id))


async def succeed(deps: Deps, claimed: Claim, made: Sequence[WindowResult]) -> None:
    await results.write(deps.objects, claimed.job.id, ABOUT, made)
    await deps.store.succeed(claimed, "en", 20.0)
    await deps.bell.ring(ended(claimed.job.id))


class Listening:
    """A client at a stream: the events that have come so far."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.status = 0

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            for event in chunk.decode().split("\n\n"):
                if event.startswith("data: "):
                    data = event.removeprefix("data: ")
                    self.events.append(data if data == "[DONE]" else json.loads(data))

    async def had(self, count: int) -> None:
        async def there() -> bool:
            return len(self.events) >= count

        await until(there, f"{count} events, not {self.events}", 10)


@asynccontextmanager
async def listening(app: Any, **fields: str) -> AsyncIterator[Listening]:
    """The endpoint asked as a server would, its body read as it is sent: httpx's transport gives it only whole."""
    request = httpx.Request(
        "POST",
        f"http://api{SYNC}",
        files=CLIP,
        data={"stream": "true", **fields},
        headers={"authorization": "Bearer the-key"},
    )
    body, client, gone = request.read(), Listening(), asyncio.Event()
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        if (message := next(given, None)) is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            client.status = message["status"]
        else:
            await sent.put(message.get("body", b"") or None)

    async def chunks() -> AsyncIterator[bytes]:
        while (chunk := await sent.get()) is not None:
            yield chunk

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {
        "type": "http", "method": "POST", "path": SYNC, "query_string": b"", "headers": headers, "http_version": "1.1",
        "scheme": "http", "server": ("api", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip
    answering = asyncio.create_task(app(scope, receive, send))
    reading = asyncio.create_task(client.read(chunks()))
    try:
        yield client
    finally:
        gone.set()
        await answering
        reading.cancel()
