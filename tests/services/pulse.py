"""How long `/livez` takes while others have the service busy, asked by a process that does nothing else."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

_EVERY = 0.05
_PATIENCE = 10.0


@dataclass
class Pulse:
    """After the block: seconds from the moment at which each was due to its answer; those without one, and why."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def pulse(url: str) -> Iterator[Pulse]:
    """Ask twenty times a second while the block lasts, each over a connection of its own, as a kubelet does.

    None waits for the answer to the one before: a late answer counts as one, not as one for all that come after it.
    """
    found = Pulse()
    command = [sys.executable, "-m", "services.pulse", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asking:
        try:
            yield found
        finally:
            out, _ = asking.communicate()
    body = json.loads(out)
    found.seconds, found.failures = body["seconds"], body["failures"]


def main(argv: Sequence[str]) -> None:
    """Ask until standard input ends, and then say what was seen."""
    address = urlsplit(argv[0])
    assert address.hostname
    assert address.port
    found = asyncio.run(_asked(address.hostname, address.port))
    json.dump(asdict(found), sys.stdout)


async def _asked(host: str, port: int) -> Pulse:
    found, over, loop = Pulse(), asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(sys.stdin, over.set)
    async with asyncio.TaskGroup() as group:
        due = loop.time()
        while not over.is_set():
            group.create_task(_ask(host, port, due, found))
            due += _EVERY
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await over.wait()
    loop.remove_reader(sys.stdin)
    return found


async def _ask(host: str, port: int, due: float, found: Pulse) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET /livez HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        found.failures.append(type(error).__name__)
        return
    if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nok"):
        found.seconds.append(asyncio.get_running_loop().time() - due)
    else:
        found.failures.append("another answer")


if __name__ == "__main__":
    main(sys.argv[1:])
