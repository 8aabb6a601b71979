"""Which addresses a user's URL may lead to: decided purely, on the address and not on the name."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

SCHEMES = frozenset({"http", "https"})


class FetchFailed(Exception):
    """A URL could not be fetched or posted to; the message says why, and the user or the world must move."""


def host_of(url: str) -> str:
    """The host of a URL that may be fetched.

    Raises:
        FetchFailed: it is no http or https URL, has no host, or carries a password.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchFailed(f"the URL is not valid: {error}") from None
    if parts.scheme not in SCHEMES:
        raise FetchFailed(f"the URL's scheme must be http or https, not {parts.scheme!r}")
    if not host:
        raise FetchFailed("the URL has no host")
    if parts.username or parts.password:
        raise FetchFailed("the URL must not carry a user name or a password")
    return host


def public(address: str) -> bool:
    """Whether an address is out on the internet: not private, loopback, link-local, multicast or reserved."""
    found = ip_address(address.partition("%")[0])
    inner = _inner(found)
    return found.is_global and not found.is_multicast and (inner is None or public(str(inner)))


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to, if it does."""
    if isinstance(address, IPv4Address):
        return None
    nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or nat64


class _Nat64:
    def __contains__(self, address: IPv6Address) -> bool:
        return int(address) >> 32 == int(IPv6Address("64:ff9b::")) >> 32


_NAT64 = _Nat64()


def choose(host: str, addresses: Sequence[str], *, allow_private: bool, outside: Callable[[str], bool] = public) -> str:
    """The address to connect to: the first, if every one of them is allowed, or is `outside`.

    All must pass, so that a name cannot hide a private address behind a public one.
    """
    if not addresses:
        raise FetchFailed(f"the host {host!r} has no address")
    refused = [address for address in addresses if not (allow_private or outside(address))]
    if refused:
        raise FetchFailed(f"the host {host!r} is at {refused[0]}, which is not a public address")
    return addresses[0]
