"""The servers over TLS as their images run them: certificates in a folder, and `images/renewed` watching it."""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from services import servers
from services.servers import ACCESS_KEY, PASSWORD, SECRET_KEY, Server, free_port, scratch
from testbed import binaries
from testbed.process import identify
from testbed.recipes import VERSITYGW

IMAGES = Path(__file__).parents[2] / "images"


@dataclass
class Secured:
    """A server over TLS. `folder` holds tls.crt and tls.key, to be replaced at will; `hello` comes before TLS."""

    name: str
    port: int
    folder: Path
    hello: Callable[[socket.socket], None] = lambda _: None
    env: Mapping[str, str] = field(default_factory=dict)

    def serial(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=5)) as plain:
            self.hello(plain)
            with context.wrap_socket(plain) as shown:
                found = shown.getpeercert(binary_form=True)
        assert found is not None
        return number(ssl.DER_cert_to_PEM_cert(found))

    def renew(self, pair: Mapping[str, str]) -> None:
        """Another certificate in the place of the old one, file by file: worse than a kubelet does it."""
        for key, text in pair.items():
            put(self.folder / key, text)


def number(pem: str) -> int:
    """A certificate's serial number."""
    command = ["openssl", "x509", "-noout", "-serial"]
    said = subprocess.run(command, input=pem, text=True, capture_output=True, check=True).stdout
    return int(said.partition("=")[2], 16)


def put(file: Path, text: str) -> None:
    """Replace a file at once; it belongs to whoever has its folder."""
    fresh, owner = file.with_suffix(".new"), file.parent.stat()
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.rename(file)


def certificates(pair: Mapping[str, str], user: str | None = None) -> Path:
    """A folder with a certificate and its key, for a server that runs as `user`."""
    folder = scratch("tls-")
    if user and os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    for key, text in pair.items():
        put(folder / key, text)
    return folder


def files(folder: Path) -> list[tuple[str, Path]]:
    """A certificate and its key as Redis' settings call them."""
    return [("cert", folder / "tls.crt"), ("key", folder / "tls.key")]


def hang_up(pid: int) -> list[str]:
    """The command that sends SIGHUP to the process that has this pid now. It fails once that one has ended: the watcher
    tries until a command succeeds, and some day another process has its pid.
    """
    who = identify(pid)
    assert who is not None, "it runs"
    same = '[ "$(cut -d " " -f 22 "/proc/$0/stat")" = "$1" ] && kill -HUP "$0"'
    return ["sh", "-c", same, str(pid), str(who.started)]


def watch(folder: Path, *command: str, **env: str) -> None:
    """The image's own watcher, more often than there. It ends with this process."""
    whole = ["setpriv", "--pdeathsig", "SIGTERM", str(IMAGES / "renewed"), str(folder), *command]
    process = subprocess.Popen(whole, env={**os.environ, "RENEWED_SECONDS": "0.3", **env}, stderr=subprocess.DEVNULL)
    atexit.register(process.kill)


def postgres(pair: Mapping[str, str]) -> Secured:
    """PostgreSQL that takes remote connections over TLS only."""
    plain = servers.new_postgres()
    folder = certificates(pair, "postgres")
    asyncio.run(_secure(plain.url(), folder))
    assert plain.server.process is not None
    watch(folder, *hang_up(plain.server.process.pid))
    url = plain.url().replace("127.0.0.1", "localhost")
    return Secured("postgres", plain.server.port, folder, ask_postgres, {"WHISPER_DATABASE_URL": url})


async def _secure(url: str, folder: Path) -> None:
    connection = await asyncpg.connect(url)
    hba = str(await connection.fetchval("SHOW hba_file"))
    rules = (IMAGES / "postgres" / "pg_hba_tls.conf").read_text().replace("scram-sha-256", "trust")
    await asyncio.to_thread(Path(hba).write_text, rules)
    settings = {"ssl_cert_file": folder / "tls.crt", "ssl_key_file": folder / "tls.key", "ssl": "on"}
    for name, value in settings.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


def ask_postgres(plain: socket.socket) -> None:
    """PostgreSQL speaks TLS when asked."""
    plain.sendall(struct.pack("!ii", 8, 80877103))
    assert plain.recv(1) == b"S"


def redis(pair: Mapping[str, str]) -> Secured:
    """Redis with no port but that for TLS."""
    folder, home, port = certificates(pair), scratch("redis-"), free_port()
    (home / "password").write_text(PASSWORD)
    conf = {
        **{"bind": "127.0.0.1", "port": 0, "tls-port": port, "tls-auth-clients": "no", "dir": home},
        **{"tls-cert-file": folder / "tls.crt", "tls-key-file": folder / "tls.key", "unixsocket": home / "socket"},
        **{"requirepass": PASSWORD, "save": '""'},
    }
    text = "".join(f"{key} {value}\n" for key, value in conf.items())
    server = Server([servers._program("redis-server"), "-"], port, stdin=text)
    server.start()
    atexit.register(server.stop)
    env = {"REDIS_SOCKET": str(home / "socket"), "REDIS_PASSWORD_FILE": str(home / "password")}
    watch(folder, str(IMAGES / "redis" / "reload"), **env, REDIS_TLS_DIR=str(folder))
    # As a Secret of an older transcriber has it: without the s.
    return Secured("redis", port, folder, env={"WHISPER_REDIS_URL": f"redis://:{PASSWORD}@localhost:{port}/0"})


def objects(pair: Mapping[str, str]) -> Secured:
    """versitygw over HTTPS."""
    folder, home, port = certificates(pair), scratch("s3-"), free_port()
    for name in ("data", "sidecar"):
        (home / name).mkdir()
    program = str(binaries.cached(VERSITYGW, "versitygw"))
    tls = ["--cert", str(folder / "tls.crt"), "--key", str(folder / "tls.key")]
    command = [program, "--quiet", *tls, "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(home / "sidecar")]
    server = Server(
        [*command, str(home / "data")], port, {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    )
    server.start()
    atexit.register(server.stop)
    assert server.process is not None
    watch(folder, *hang_up(server.process.pid))
    return Secured("objects", port, folder, env={"WHISPER_S3_ENDPOINT": f"https://localhost:{port}"})
