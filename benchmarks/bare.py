"""`python -m benchmarks.bare PORT`: the least that can take an upload, on the same server as the API's."""

import asyncio
import sys

from starlette.types import Receive, Scope, Send

from whisper_transcriber.deps.http import serve


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, keep nothing of it, and say 201 when it has ended."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    asyncio.run(serve(app, "127.0.0.1", int(sys.argv[1]), asyncio.Event(), 1))
