"""One HTTP server in a process that does other things too."""

import asyncio
import gc
import math
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from whisper_transcriber.logs import Log

log = Log(__name__)


class CannotListen(Exception):
    """The address is taken, not this machine's, or not allowed: the user must choose another one."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process: uvicorn would end it with a signal's status instead of 0.
        yield


@dataclass(frozen=True)
class KeyPair:
    """Files with a certificate and its key. `seconds`: how often to see whether they were renewed."""

    certificate: Path
    key: Path
    seconds: float = 5.0

    def text(self) -> bytes:
        """What the files hold now. Raises OSError."""
        return self.certificate.read_bytes() + self.key.read_bytes()

    def load(self, *contexts: ssl.SSLContext) -> None:
        """Let the contexts show this certificate. Raises OSError (ssl.SSLError is one), with none of them changed."""
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *contexts):
            context.load_cert_chain(self.certificate, self.key)


async def serve(
    app: Any,
    host: str,
    port: int,
    stop: asyncio.Event,
    grace: float,
    drain: float = 0,
    tls: KeyPair | None = None,
) -> None:
    """Serve an ASGI application until `drain` seconds after `stop`; over HTTPS with `tls`, renewed while it serves.

    Then take no new connection, and give the requests that are being answered `grace` seconds. Raises CannotListen,
    and OSError where the certificate cannot be read.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(grace),
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    config.load()
    # What is there now stays: looking through it again takes each full collection a tenth of a second, and nobody is
    # answered meanwhile.
    gc.collect()
    gc.freeze()
    # Bound here: uvicorn would end the whole process where it cannot.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}.") from error
    server = _Server(config)
    serving, stopping = asyncio.create_task(server.serve(sockets=[listening])), asyncio.create_task(stop.wait())
    renewing = asyncio.create_task(_renew(config.ssl, tls)) if config.ssl and tls else None
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # Whoever sends us requests hears of our end later than we do.
        await asyncio.wait({serving}, timeout=drain)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        if renewing:
            renewing.cancel()


async def _renew(context: ssl.SSLContext, tls: KeyPair) -> None:
    """Show each new certificate to whoever connects from then on; what is connected stays so."""
    known = tls.text()
    while True:
        await asyncio.sleep(tls.seconds)
        try:
            now = tls.text()
            if now != known:
                tls.load(context)
                known = now
                log.info("Took up the renewed certificate", file=str(tls.certificate))
        except OSError as error:  # one file is newer than the other, or neither is any good: the old ones go on
            log.warning("Kept the certificate", file=str(tls.certificate), error=type(error).__name__)
