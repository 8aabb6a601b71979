"""Free TCP ports on the host's loopback."""

import random
import socket
from contextlib import ExitStack, suppress

# Below the range from which Linux takes the ports of outgoing connections (32768 and more by default): a port from
# there can be gone by the time that a server binds it.
_FIRST, _LAST = 20_000, 32_767


def free(count: int) -> list[int]:
    """Ports that nobody listens on right now; a rare loser of the race for one fails at its bind."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(_FIRST, _LAST + 1), _LAST - _FIRST):
            if len(found) == count:
                return found
            taken = held.enter_context(socket.socket())
            with suppress(OSError):
                taken.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError(f"no {count} free ports between {_FIRST} and {_LAST}")
