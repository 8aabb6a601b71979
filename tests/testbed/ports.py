"""Free TCP ports on the host's loopback."""

import random
import socket
from contextlib import ExitStack, suppress

# Below the range from which Linux takes the ports of outgoing connections (32768 and more by default): a port from
# there can be gone by the time that a server binds it.
_FIRST, _LAST = 20_000, 32_767
# What was given away here and may not be bound yet.
_given: set[int] = set()


def free(count: int) -> list[int]:
    """Ports that nobody listens on right now, and none twice; a rare loser of a race with another process for one fails
    at its bind."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(_FIRST, _LAST + 1), _LAST - _FIRST):
            if len(found) == count:
                _given.update(found)
                return found
            if port in _given:
                continue
            taken = held.enter_context(socket.socket())
            with suppress(OSError):
                taken.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError(f"no {count} free ports between {_FIRST} and {_LAST}")
