"""Real PostgreSQL, Redis and S3 servers on free loopback ports, started once a process and gone with it."""

import asyncio
import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO
from uuid import uuid4

import asyncpg

from testbed import binaries, ports
from testbed.recipes import VERSITYGW

ACCESS_KEY, SECRET_KEY, PASSWORD = "access-key", "secret-key-of-the-tests", "password-of-the-tests"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    return ports.free(1)[0]


def wait_until(condition: Callable[[], bool], what: str, patience: float = 60) -> None:
    """Return as soon as the condition holds; a TimeoutError names what was waited for."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)


async def until(condition: Callable[[], Awaitable[bool]], what: str, patience: float = 60) -> None:
    """The same for a condition that is awaited."""
    deadline = time.monotonic() + patience
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.05)


def answers(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class Server:
    """A process that listens on a port. It dies with this process, however that ends.

    `ready`: what holds once it does its work, where it listens before.
    """

    command: Sequence[str]
    port: int
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    goodbye: signal.Signals = signal.SIGTERM
    ready: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with tempfile.TemporaryFile() as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "SIGTERM", *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
            )
            assert self.process.stdin is not None
            self.process.stdin.write(self.stdin.encode())
            self.process.stdin.close()
            ready = self.ready or (lambda: answers(self.port))
            wait_until(lambda: ready() or self._ended(log), f"{self.command[0]} to be ready")

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(self.goodbye)
            self.process.wait(timeout=30)
            self.process = None

    def _ended(self, log: IO[bytes]) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"{self.command} ended:\n{log.read().decode()}")
        return False


def scratch(prefix: str) -> Path:
    """A folder that goes when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _program(name: str, *patterns: str) -> str:
    """The path of a program of a Debian package, which is installed if it is missing."""
    for installed in (False, True):
        if installed:
            _install()
        found = [str(path) for pattern in patterns for path in sorted(Path("/").glob(pattern))]
        if on_path := shutil.which(name):
            found.append(on_path)
        if found:
            return found[-1]
    raise RuntimeError(f"{name} is not there: install the Debian packages postgresql and redis-server")


@cache
def _install() -> None:
    # RUNLEVEL=1: the packages must not start services of their own.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    wait = ("-o", "DPkg::Lock::Timeout=300")
    subprocess.run(["apt-get", *wait, "update", "-qq"], check=True, env=env)
    packages = ["postgresql", "redis-server"]
    subprocess.run(
        ["apt-get", *wait, "install", "-y", "-qq", "--no-install-recommends", *packages], check=True, env=env
    )


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with a superuser `postgres` and no password."""

    server: Server

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.server.port}/{database}"

    async def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid4().hex}"
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.url(name)


def new_postgres() -> Postgres:
    """A PostgreSQL server of one's own, to be stopped at will."""
    bin_ = Path(_program("postgres", "usr/lib/postgresql/*/bin/postgres")).resolve().parent
    folder, port = scratch("postgres-"), free_port()
    user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        user = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    data = str(folder / "data")
    initdb = [str(bin_ / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(["setpriv", *user, *initdb], check=True, stdout=subprocess.DEVNULL, cwd="/")
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": 200,
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    asks = [str(bin_ / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]

    def ready() -> bool:
        return subprocess.run(asks, check=False).returncode == 0

    # SIGQUIT breaks every connection off at once, as the loss of the pod would; SIGTERM waits for the clients.
    server = Server([*user, str(bin_ / "postgres"), "-D", data, *settings], port, goodbye=signal.SIGQUIT, ready=ready)
    server.start()
    atexit.register(server.stop)
    return Postgres(server)


@cache
def postgres() -> Postgres:
    """The PostgreSQL server of this process."""
    return new_postgres()


@dataclass(frozen=True)
class RedisServer:
    """A Redis server that asks for a password."""

    server: Server

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.server.port}/0"


def new_redis() -> RedisServer:
    """A Redis server of one's own, to be stopped at will."""
    folder, port = scratch("redis-"), free_port()
    conf = f'bind 127.0.0.1\nport {port}\nsave ""\nappendonly no\ndir {folder}\nrequirepass {PASSWORD}\n'
    server = Server([_program("redis-server"), "-"], port, stdin=conf)
    server.start()
    atexit.register(server.stop)
    return RedisServer(server)


def redis_server(*lines: str, sentinel: bool = False, tls: bool = False) -> Server:
    """A Redis server, or a Sentinel, of these settings beside the usual ones, which listens already."""
    folder, port = scratch("redis-"), free_port()
    ports = ["port 0", f"tls-port {port}"] if tls else [f"port {port}"]
    given = [*ports, *lines, f"requirepass {PASSWORD}", "bind 127.0.0.1", f"dir {folder}"]
    given += [] if sentinel else ['save ""', "appendonly no", f"masterauth {PASSWORD}"]
    conf = folder / "redis.conf"  # a Sentinel writes into it
    conf.write_text("".join(f"{line}\n" for line in given))
    server = Server([_program("redis-server"), str(conf), *(["--sentinel"] if sentinel else [])], port)
    server.start()
    atexit.register(server.stop)
    return server


@cache
def redis() -> RedisServer:
    """The Redis server of this process."""
    return new_redis()


@dataclass(frozen=True)
class S3Server:
    """An S3 server and its root keys."""

    server: Server
    data: Path
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


def new_s3() -> S3Server:
    """An S3 server of one's own, to be stopped at will."""
    folder, port = scratch("s3-"), free_port()
    (data := folder / "data").mkdir()
    (sidecar := folder / "sidecar").mkdir()
    program = binaries.cached(VERSITYGW, "versitygw")
    command = [str(program), "--quiet", "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(sidecar)]
    env = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    server = Server([*command, str(data)], port, env)
    server.start()
    atexit.register(server.stop)
    return S3Server(server, data)


@cache
def s3() -> S3Server:
    """The S3 server of this process."""
    return new_s3()
