"""From the host's loopback into a network namespace, byte for byte: kubectl on the host needs no nsenter.

usage: relay.py PORT NETNS_FILE HOST TARGET_PORT

Runs by itself (standard library only). A connection to 127.0.0.1:PORT is answered by one from inside the namespace to
HOST:TARGET_PORT. A socket belongs to the namespace of the thread that creates it, so one thread moves there for good
and dials; everything else stays outside.
"""

import asyncio
import ctypes
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_BLOCK = 64 * 1024


def enter(netns: Path) -> None:
    """Move the calling thread into the namespace (os.setns is Python 3.12's)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with netns.open() as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns to {netns}")


def dial(host: str, port: int) -> socket.socket:
    """A connected socket of the calling thread's namespace."""
    connection = socket.create_connection((host, port), timeout=10)
    connection.setblocking(False)
    return connection


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender ends, then end this direction only: the other may still be talking."""
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def serve(port: int, netns: Path, host: str, target: int) -> None:
    """Relay connections until the process is killed."""
    loop = asyncio.get_running_loop()
    dialer = ThreadPoolExecutor(1, "dialer", initializer=enter, initargs=(netns,))

    async def relay(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection(sock=await loop.run_in_executor(dialer, dial, host, target))
        except OSError as error:
            print(f"no connection to {host}:{target}: {error}", file=sys.stderr, flush=True)
            near.close()
            return
        try:
            await asyncio.gather(pump(near_reader, far), pump(far_reader, near))
        except OSError:
            pass  # either side has hung up: the other one is told by the closing below
        finally:
            far.close()
            near.close()

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
