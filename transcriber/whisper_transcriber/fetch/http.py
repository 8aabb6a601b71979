"""Streams a user's URL: the name resolved once and pinned, redirects checked again, size and time bounded."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias, TypeVar
from urllib.parse import urljoin

import httpx

from whisper_transcriber.fetch.guard import FetchFailed, choose, host_of

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
T = TypeVar("T")
_REDIRECTS = 5
_SILENCE = 30.0


@dataclass(frozen=True)
class Limits:
    """What a URL may cost: bytes and seconds in all, and whether private networks may be reached."""

    max_bytes: int
    max_seconds: float
    allow_private: bool = False


async def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, in the system's order."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise FetchFailed(f"the host {host!r} could not be found") from None
    return [str(entry[4][0]) for entry in found]


async def fetch(url: str, limits: Limits, resolver: Resolver = resolve) -> AsyncGenerator[bytes, None]:
    """The body behind `url`, in chunks.

    Raises:
        FetchFailed: at the first step or later, with the reason.
    """
    deadline = monotonic() + limits.max_seconds
    timeout = httpx.Timeout(_SILENCE, connect=10.0)
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout) as client:
        for _hop in range(_REDIRECTS + 1):
            async with _answer(client, url, limits, resolver, deadline) as answer:
                if answer.has_redirect_location:
                    url = urljoin(url, answer.headers["location"])
                    continue
                if answer.status_code != httpx.codes.OK:
                    raise FetchFailed(f"the server answered HTTP {answer.status_code}")
                async for chunk in _bounded(answer, limits, deadline):
                    yield chunk
                return
    raise FetchFailed(f"more than {_REDIRECTS} redirects")


@asynccontextmanager
async def _answer(
    client: httpx.AsyncClient, url: str, limits: Limits, resolver: Resolver, deadline: float
) -> AsyncIterator[httpx.Response]:
    """The answer of the pinned address to a GET of `url`, its body not read yet."""
    host = host_of(url)
    address = choose(host, await _in_time(resolver(host), deadline), allow_private=limits.allow_private)
    target = httpx.URL(url)
    request = client.build_request(
        "GET",
        target.copy_with(host=address),
        # No compression: what is counted is what is kept.
        headers={"host": target.netloc.decode(), "accept-encoding": "identity", "user-agent": "whisper-operator"},
        extensions={"sni_hostname": host},
    )
    try:
        response = await _in_time(client.send(request, stream=True), deadline)
    except httpx.HTTPError as error:
        raise FetchFailed(f"the host {host!r} did not answer: {_why(error)}") from None
    try:
        yield response
    finally:
        await response.aclose()


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
