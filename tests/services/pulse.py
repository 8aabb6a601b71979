"""How long `/livez` takes while others have the service busy, asked by a process that does nothing else."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from select import select
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
    """Ask twenty times a second while the block lasts, each over a connection of its own, as a kubelet does."""
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
    found, due = Pulse(), time.monotonic()
    while not select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_PATIENCE)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().read() != b"ok":
                found.failures.append("another answer")
            found.seconds.append(time.monotonic() - due)
        except OSError as error:
            found.failures.append(type(error).__name__)
        finally:
            connection.close()
        due += _EVERY
    json.dump({"seconds": found.seconds, "failures": found.failures}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
