"""One HTTP server in a process that does other things too."""

import asyncio
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class CannotListen(Exception):
    """The address is taken, not this machine's, or not allowed: the user must choose another one."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process: uvicorn would end it with a signal's status instead of 0.
        yield


async def serve(app: Any, host: str, port: int, stop: asyncio.Event, grace: float, drain: float = 0) -> None:
    """Serve an ASGI application until `drain` seconds after `stop`.

    Then take no new connection, and give the requests that are being answered `grace` seconds. Raises CannotListen.
    """
    # Bound here: uvicorn would end the whole process where it cannot.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}.") from error
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(grace),
    )
    server = _Server(config)
    serving, stopping = asyncio.create_task(server.serve(sockets=[listening])), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # Whoever sends us requests hears of our end later than we do.
        await asyncio.wait({serving}, timeout=drain)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
