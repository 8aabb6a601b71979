"""The guarded fetcher against a small zoo of servers and names."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from whisper_transcriber.fetch.guard import FetchFailed, choose, host_of, public
from whisper_transcriber.fetch.http import Limits, fetch

OPEN = Limits(max_bytes=1000, max_seconds=30, allow_private=True)


@asynccontextmanager
async def server(answer: bytes, *, hold: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says `answer` to whoever asks; it keeps the requests' heads."""
    heads: list[bytes] = []
    release = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if hold:
            await release.wait()
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], heads
        release.set()


async def loopback(_host: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def got(url: str, limits: Limits = OPEN) -> bytes:
    return b"".join([chunk async for chunk in fetch(url, limits, loopback)])


def ok(body: bytes, length: int | None = None) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


async def test_a_body_comes_through_and_the_name_is_kept() -> None:
    async with server(ok(b"sound")) as (port, heads):
        assert await got(f"http://files.example:{port}/a%20b?c=d") == b"sound"
    assert heads[0].startswith(b"GET /a%20b?c=d HTTP/1.1\r\n")
    assert f"host: files.example:{port}".encode() in heads[0].lower()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (ok(b"", 5000), "5000 bytes"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(2000), "limit of 1000"),
        (ok(b"half", 900), "broke off"),
        (b"nonsense\r\n\r\n", "did not answer"),
        (b"", "did not answer"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "http or https"),
        (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", "redirects"),
    ],
)
async def test_a_bad_server_fails_with_a_reason(answer: bytes, says: str) -> None:
    async with server(answer) as (port, heads):
        with pytest.raises(FetchFailed, match=says):
            await got(f"http://files.example:{port}/")
        assert len(heads) <= 6


async def test_a_slow_server_is_left() -> None:
    async with server(ok(b"begin", 900), hold=True) as (port, _):
        with pytest.raises(FetchFailed, match="too long"):
            await got(f"http://files.example:{port}/", Limits(1000, 0.2, allow_private=True))


async def test_a_private_address_is_never_connected_to() -> None:
    async def resolver(_host: str) -> Sequence[str]:
        return ["169.254.169.254"]

    with pytest.raises(FetchFailed, match=r"169\.254\.169\.254"):
        async for _ in fetch("http://metadata.example/", Limits(1000, 5), resolver):
            pass


async def test_a_redirect_is_resolved_and_checked_again() -> None:
    async with server(b"HTTP/1.1 302 Found\r\nLocation: http://inside.example/\r\nContent-Length: 0\r\n\r\n") as (
        port,
        _,
    ):

        async def resolver(host: str) -> Sequence[str]:
            return [] if host == "inside.example" else ["127.0.0.1"]

        with pytest.raises(FetchFailed, match=r"'inside\.example' has no address"):
            async for _ in fetch(f"http://outside.example:{port}/", OPEN, resolver):
                pass


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"),
        *("100.64.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
    ],
)
def test_addresses_that_are_not_out_on_the_internet(address: str) -> None:
    assert not public(address)
    with pytest.raises(FetchFailed):
        choose("host", ["93.184.216.34", address], allow_private=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_that_are(address: str) -> None:
    assert public(address)
    assert choose("host", [address], allow_private=False) == address


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b", "http://", "http:///a", "//a/b", "http://u:p@a/b", "http://a:b/", "gopher://a"],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(FetchFailed):
        host_of(url)
