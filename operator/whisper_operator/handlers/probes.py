"""/livez, /readyz and /metrics."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

# A candidate asks for the Lease every second; this long without an answer means the API server is out of reach.
STALE = 15.0


@asynccontextmanager
async def serve(host: str, port: int, seen: Callable[[], float | None]) -> AsyncIterator[None]:
    """Answer while the block runs. `seen`: when (monotonic seconds) the API server last answered, None for never.

    A standby is ready: it does its duty, which is to watch the Lease.
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        last = seen()
        if last is None or time.monotonic() - last > STALE:
            return web.Response(status=503, text="the Kubernetes API does not answer\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
