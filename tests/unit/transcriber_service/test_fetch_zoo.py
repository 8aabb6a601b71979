"""The guarded fetcher against servers that mean it ill: nothing inside is reached, and nothing goes on for ever.

127.0.0.2 stands for a server out on the internet; everything else is judged as it is.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from unit.transcriber_service.zoo import INSIDE, OUTSIDE, Names, Server, again_and_again, redirect, says, server
from whisper_transcriber.fetch.guard import FetchFailed, public
from whisper_transcriber.fetch.http import Limits, fetch, resolve

LIMITS = Limits(100_000, 5, outside=lambda address: address == OUTSIDE or public(address))


async def got(
    url: str, resolver: Callable[[str], Awaitable[Sequence[str]]] = resolve, limits: Limits = LIMITS
) -> bytes:
    return b"".join([chunk async for chunk in fetch(url, limits, resolver)])


@pytest.fixture
async def inside() -> AsyncIterator[Server]:
    """What nobody may reach: each test that has it must leave it alone."""
    async with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"), INSIDE) as made:
        yield made
        assert made.requests == []


def ways_inside(port: int) -> list[str]:
    """URLs that lead to the loopback interface, some of them in disguise."""
    hosts = (
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0", "127.0.0.1."),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    )
    return [f"http://{host}:{port}/" for host in hosts]


async def test_no_spelling_of_loopback_is_connected_to(inside: Server) -> None:
    for url in ways_inside(inside.port):
        with pytest.raises(FetchFailed, match=r"not a public address|could not be found"):
            await got(url)


async def test_no_redirect_leads_inside(inside: Server) -> None:
    for url in [*ways_inside(inside.port), f"//127.0.0.1:{inside.port}/", f"http://127.0.0.1:{inside.port}\\@a/"]:
        async with server(says(redirect(url))) as outside:
            with pytest.raises(FetchFailed, match=r"not a public address|could not be found|[Ii]nvalid|password"):
                await got(f"http://{OUTSIDE}:{outside.port}/")
            assert len(outside.requests) == 1


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://user:secret@127.0.0.2/", "ftp://127.0.0.2/"])
async def test_a_redirect_is_no_way_round_what_a_url_may_say(to: str) -> None:
    async with server(says(redirect(to))) as outside:
        with pytest.raises(FetchFailed, match=r"http or https|password"):
            await got(f"http://{OUTSIDE}:{outside.port}/")


NONSENSE = [
    *("http://[::1/", "http://[x]/", "http://a:99999/", "http://a:b/", "http://a b/", "http://\x01/", "http://a\\b/"),
    *(
        f"http://{'a' * 70}.example/",
        "http://.example/",
        "http://a..example/",
        "http://xn--a/",
        "http://%00/",
        "data:,a",
        "",
    ),
]


@pytest.mark.parametrize("url", NONSENSE)
async def test_nonsense_is_refused(url: str) -> None:
    with pytest.raises(FetchFailed):
        await got(url)


@pytest.mark.parametrize("to", NONSENSE[:-1])
async def test_a_redirect_to_nonsense_is_refused(to: str) -> None:
    async with server(says(redirect(to))) as outside:
        with pytest.raises(FetchFailed):
            await got(f"http://{OUTSIDE}:{outside.port}/")


async def test_a_name_is_asked_for_once_and_what_was_checked_is_connected_to(inside: Server) -> None:
    async with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound")) as outside:
        names = Names(changing_example=[[OUTSIDE], [INSIDE]])
        assert await got(f"http://changing.example:{outside.port}/", names) == b"sound"
    assert names.asked == 1


async def test_a_name_that_leads_inside_at_the_next_redirect_is_refused(inside: Server) -> None:
    async with server(says(redirect("/again"))) as outside:
        names = Names(changing_example=[[OUTSIDE], [OUTSIDE], [INSIDE]])
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1, which is not a public address"):
            await got(f"http://changing.example:{outside.port}/", names)
        assert len(outside.requests) == 2


async def test_a_private_address_does_not_hide_behind_a_public_one(inside: Server) -> None:
    for addresses in ([OUTSIDE, INSIDE], [INSIDE, OUTSIDE], [OUTSIDE, "::ffff:10.0.0.1"]):
        with pytest.raises(FetchFailed, match="not a public address"):
            await got(f"http://both.example:{inside.port}/", Names(both_example=[addresses]))


async def test_redirects_have_an_end() -> None:
    async with server(says(redirect("/again"))) as outside:
        with pytest.raises(FetchFailed, match="more than 5 redirects"):
            await got(f"http://{OUTSIDE}:{outside.port}/")
        assert len(outside.requests) == 6


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"4000\r\n" + bytes(0x4000) + b"\r\n"


@pytest.mark.parametrize(
    "head", [CHUNKED, b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n"]
)
async def test_a_body_without_end_is_left(head: bytes) -> None:
    async with server(again_and_again(head, PIECE)) as outside:
        with pytest.raises(FetchFailed, match="the limit of 100000"):
            await got(f"http://{OUTSIDE}:{outside.port}/")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (CHUNKED, b"1\r\n.\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"."),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b""),
    ],
)
async def test_what_drips_is_left_in_time(head: bytes, piece: bytes) -> None:
    async with server(again_and_again(head, piece, 0.02)) as outside:
        began = asyncio.get_running_loop().time()
        with pytest.raises(FetchFailed, match="took too long"):
            await got(f"http://{OUTSIDE}:{outside.port}/", limits=replace(LIMITS, max_seconds=0.3))
        assert asyncio.get_running_loop().time() - began < 5


async def test_a_redirect_gives_no_more_time() -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await says(redirect("/again"))(writer)

    async with server(say) as outside:
        with pytest.raises(FetchFailed, match="took too long"):
            await got(f"http://{OUTSIDE}:{outside.port}/", limits=replace(LIMITS, max_seconds=0.5))
        assert len(outside.requests) <= 3


async def test_headers_without_end_are_left() -> None:
    async with server(again_and_again(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n" * 1000)) as outside:
        with pytest.raises(FetchFailed, match="did not answer"):
            await got(f"http://{OUTSIDE}:{outside.port}/")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nsound", "did not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nsound", "did not answer"),
        (CHUNKED + b"5\r\nsound\r\n", "broke off"),
        (CHUNKED + b"ffffffffffffffffffffffff\r\nsound", "broke off"),
        (CHUNKED + b"what\r\nsound\r\n0\r\n\r\n", "broke off"),
    ],
)
async def test_a_wrong_length_is_an_error(answer: bytes, why: str) -> None:
    async with server(says(answer)) as outside:
        with pytest.raises(FetchFailed, match=why):
            await got(f"http://{OUTSIDE}:{outside.port}/")


async def test_what_comes_after_the_length_is_not_taken() -> None:
    async with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound and more")) as outside:
        assert await got(f"http://{OUTSIDE}:{outside.port}/") == b"sound"


async def test_what_is_compressed_stays_so() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with server(says(head + bomb)) as outside:
        assert await got(f"http://{OUTSIDE}:{outside.port}/") == bomb
        assert b"accept-encoding: identity" in outside.requests[0].lower()
