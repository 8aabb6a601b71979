"""What happens to an API server: it goes away and comes back, or the way to it does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from testbed.process import kill, reap, running, start
from testbed.waiting import until


def restart(kubeconfig: Path) -> None:
    """Kill the API server of a light control plane and start it again as it was; etcd goes on."""
    state = kubeconfig.parent
    server = running(state / "pids" / "apiserver")
    assert server is not None
    argv = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    kill([server])

    def gone() -> bool:
        """Reaped: a zombie's other threads may still hold its port."""
        reap()
        return not Path(f"/proc/{server.pid}").exists()

    until("the API server to end", gone, timeout=30)
    needs = [start("apiserver", ["setpriv", "--pdeathsig", "KILL", *argv], state)]
    until("the API server", partial(_ready, _server(kubeconfig)), timeout=120, needs=needs)


def _server(kubeconfig: Path) -> tuple[str, int]:
    url = urlsplit(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    assert url.hostname and url.port
    return url.hostname, url.port


def _ready(server: tuple[str, int]) -> bool:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with closing(HTTPSConnection(*server, context=trust, timeout=5)) as connection, suppress(OSError):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


class Way:
    """A way to the API server that can be cut: what is on it breaks, and nothing new gets through."""

    def __init__(self, kubeconfig: Path, server: tuple[str, int]) -> None:
        self.kubeconfig = kubeconfig
        self._server = server
        self._open = True
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """From now on."""
        self._open = False
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        """From now on."""
        self._open = True

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if not self._open:
            writer.transport.abort()
            return
        there, away = await asyncio.open_connection(*self._server)
        self._ends |= {writer, away}
        await asyncio.gather(_pump(reader, away), _pump(there, writer))
        self._ends -= {writer, away}


def _lead(kubeconfig: Path, other: Path, port: int) -> None:
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    other.touch(mode=0o600)
    other.write_text(yaml.safe_dump(config))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
    target.close()


@asynccontextmanager
async def way(kubeconfig: Path, folder: Path) -> AsyncIterator[Way]:
    """A way of its own, with a kubeconfig that leads over it."""
    found = Way(folder / "kubeconfig", _server(kubeconfig))
    server = await asyncio.start_server(found.carry, "127.0.0.1", 0)
    _lead(kubeconfig, found.kubeconfig, server.sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        found.cut()
        server.close()
