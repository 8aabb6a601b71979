"""The one way to a user's URL: the name resolved once and pinned, size and time bounded.

What is fetched is streamed, and redirects are checked again. What is posted goes to that URL and no other.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from time import monotonic
from typing import TypeAlias, TypeVar
from urllib.parse import urljoin

import httpx

from whisper_transcriber.fetch.guard import FetchFailed, choose, host_of, public

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
T = TypeVar("T")
_REDIRECTS = 5
_SILENCE = 30.0
# What is read of the answer to a POST: a server that is cut off in the middle of a short one would call that an error.
_DRAIN_BYTES, _DRAIN_SECONDS = 64 * 1024, 1.0
_AGENT = "whisper-operator"


@dataclass(frozen=True)
class Limits:
    """What a URL may cost: bytes and seconds in all, and whether private networks may be reached.

    `outside` tells which addresses are on no private network.
    """

    max_bytes: int
    max_seconds: float
    allow_private: bool = False
    outside: Callable[[str], bool] = public


async def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, in the system's order."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for what can be no name, such as an empty label
        raise FetchFailed(f"the host {host!r} could not be found") from None
    return [str(entry[4][0]) for entry in found]


async def fetch(url: str, limits: Limits, resolver: Resolver = resolve) -> AsyncGenerator[bytes, None]:
    """The body behind `url`, in chunks.

    Raises:
        FetchFailed: at the first step or later, with the reason.
    """
    deadline = monotonic() + limits.max_seconds
    async with _client() as client:
        for _hop in range(_REDIRECTS + 1):
            async with _answer(client, "GET", url, limits, resolver, deadline) as answer:
                if answer.has_redirect_location:
                    url = _next(url, answer.headers["location"])
                    continue
                if answer.status_code != httpx.codes.OK:
                    raise FetchFailed(f"the server answered HTTP {answer.status_code}")
                async for chunk in _bounded(answer, limits, deadline):
                    yield chunk
                return
    raise FetchFailed(f"more than {_REDIRECTS} redirects")


@dataclass(frozen=True)
class Taken:
    """What a server said to a POST: its status, and how long (s) to wait before the next, 0 if it did not say."""

    status: int
    retry_after: float = 0.0


async def post(
    url: str, body: bytes, headers: Mapping[str, str], limits: Limits, resolver: Resolver = resolve
) -> Taken:
    """Send `body` to `url`; a redirect is an answer like any other. Of the answer's body nothing is kept.

    Raises:
        FetchFailed: there was no answer, or it was not tried, with the reason.
    """
    deadline = monotonic() + limits.max_seconds
    async with (
        _client() as client,
        _answer(client, "POST", url, limits, resolver, deadline, headers, body) as answer,
    ):
        short = Limits(_DRAIN_BYTES, limits.max_seconds)
        with suppress(FetchFailed):
            async for _ in _bounded(answer, short, min(deadline, monotonic() + _DRAIN_SECONDS)):
                pass
        return Taken(answer.status_code, retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC)))


def retry_after(said: str, now: datetime) -> float:
    """The seconds that a Retry-After header means, 0 for none or nonsense."""
    if said.isascii() and said.isdigit() and len(said) < 10:
        return float(said)
    try:
        when = parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds())


def _client() -> httpx.AsyncClient:
    timeout = httpx.Timeout(_SILENCE, connect=10.0)
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the authorities takes longer than a short request does."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def _answer(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    limits: Limits,
    resolver: Resolver,
    deadline: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> AsyncIterator[httpx.Response]:
    """The answer of the pinned address to a request for `url`, its body not read yet."""
    host = host_of(url)
    addresses = await _in_time(resolver(host), deadline)
    address = choose(host, addresses, allow_private=limits.allow_private, outside=limits.outside)
    try:
        target = httpx.URL(url)
        request = client.build_request(
            method,
            target.copy_with(host=address),
            content=body,
            # No compression: what is counted is what is kept.
            headers={
                **(headers or {}),
                "host": target.netloc.decode(),
                "accept-encoding": "identity",
                "user-agent": _AGENT,
            },
            extensions={"sni_hostname": host},
        )
        response = await _in_time(client.send(request, stream=True), deadline)
    except (httpx.InvalidURL, UnicodeError) as error:  # this one, or the one that it is redirected to
        raise FetchFailed(f"the URL is not valid: {error}") from None
    except httpx.HTTPError as error:
        raise FetchFailed(f"the host {host!r} did not answer: {_why(error)}") from None
    try:
        yield response
    finally:
        await response.aclose()


def _next(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchFailed(f"the URL is not valid: {error}") from None


async def _bounded(answer: httpx.Response, limits: Limits, deadline: float) -> AsyncIterator[bytes]:
    said = answer.headers.get("content-length", "")
    if said.isdigit() and int(said) > limits.max_bytes:
        raise FetchFailed(f"the file has {said} bytes, more than the limit of {limits.max_bytes}")
    size = 0
    chunks = aiter(answer.aiter_raw(256 * 1024))
    while True:
        try:
            chunk = await _in_time(anext(chunks), deadline)
        except StopAsyncIteration:
            return
        except httpx.HTTPError as error:
            raise FetchFailed(f"the server broke off after {size} bytes: {_why(error)}") from None
        size += len(chunk)
        if size > limits.max_bytes:
            raise FetchFailed(f"the file has more than the limit of {limits.max_bytes} bytes")
        yield chunk


async def _in_time(waiting: Awaitable[T], deadline: float) -> T:
    try:
        return await asyncio.wait_for(waiting, max(0.0, deadline - monotonic()))
    except TimeoutError:
        raise FetchFailed("the server took too long") from None


def _why(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
