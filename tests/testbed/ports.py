"""Free TCP ports on the host's loopback."""

import socket
from contextlib import ExitStack


def free(count: int) -> list[int]:
    """Ports that nobody listens on right now; a rare loser of the race for one fails at its bind."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
