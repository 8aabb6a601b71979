"""The guarded fetcher against a small zoo of servers and names."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic

import pytest

from whisper_transcriber.fetch.guard import FetchFailed, choose, host_of, public
from whisper_transcriber.fetch.http import Limits, fetch, post, retry_after

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


@pytest.mark.parametrize(
    "url", ["http://a..b/", "http://" + "a" * 64 + "/", "http://xn--/", "http://h/\x00", "http://h:0/"]
)
async def test_a_url_that_cannot_be_is_a_failure_like_any_other(url: str) -> None:
    with pytest.raises(FetchFailed):
        async for _ in fetch(url, Limits(1000, 5, allow_private=True)):
            pass
    with pytest.raises(FetchFailed):
        await post(url, b"", {}, Limits(1000, 5, allow_private=True))


@pytest.mark.parametrize("status", [200, 302, 410, 503])
async def test_what_is_posted_goes_there_and_nowhere_else(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n"
    async with server(head.encode()) as (port, heads):
        taken = await post(f"http://hooks.example:{port}/a?b=c", b"{}", {"x-more": "1"}, OPEN, loopback)
    assert (taken.status, taken.retry_after) == (status, 7.0)
    assert len(heads) == 1
    assert heads[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    for line in (f"host: hooks.example:{port}", "content-length: 2", "x-more: 1"):
        assert line.encode() in heads[0].lower()


async def test_nothing_is_posted_to_a_private_address() -> None:
    async with server(ok(b"")) as (port, heads):
        with pytest.raises(FetchFailed, match="not a public address"):
            await post(f"http://hooks.example:{port}/", b"{}", {}, Limits(1000, 5), loopback)
    assert heads == []


async def test_an_endless_answer_to_a_post_is_left() -> None:
    async with server(ok(bytes(1000), 10**9), hold=True) as (port, _):
        started = monotonic()
        assert (await post(f"http://hooks.example:{port}/", b"{}", {}, OPEN, loopback)).status == 200
        assert monotonic() - started < 10


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("Wed, 01 Jan 2025 00:01:30 GMT", 90.0),
        ("Tue, 31 Dec 2024 00:00:00 GMT", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("9" * 30, 0.0),
        ("\u0663", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(said: str, seconds: float) -> None:
    assert retry_after(said, datetime(2025, 1, 1, tzinfo=UTC)) == seconds


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
