"""A request that waits for a job, as long as its client does."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


async def while_connected(receive: Receive, waiting: Coroutine[Any, Any, T]) -> T | None:
    """What is waited for, or None as soon as the client has gone. The request's body must have been read."""
    work, leaving = asyncio.create_task(waiting), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Events(StreamingResponse):
    """Server-Sent Events until the client goes; then the body's generator is closed, and what `after` holds."""

    media_type = "text/event-stream"

    def __init__(self, body: Any, after: AsyncExitStack) -> None:
        # A proxy that gathers the body, or a cache, would keep the text until it is no news.
        super().__init__(body, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_connected(receive, self.stream_response(send))
        finally:
            await self._after.aclose()
