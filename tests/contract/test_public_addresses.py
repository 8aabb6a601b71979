"""Two guards know which addresses are public, the worker's own and the NetworkPolicies: they must agree."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_operator.plan.network_addresses import public as networks
from whisper_transcriber.fetch.guard import public

_EDGES = sorted({part for block in networks() for part in (block.cidr, *block.holes)})
# Single addresses on which Python's own versions differ.
_DISPUTED = [ip_network(n) for n in ("192.0.0.0/24", "2001::/23")]
# Where only the policies say no: what nobody has been given yet, documentation that older Pythons do not know, 6to4
# (which nobody routes any more), and a public address that answers inside Azure only.
_STRICTER = [ip_network(n) for n in ("2002::/16", "3fff::/20", "168.63.129.16/32")]
_GIVEN = [ip_network(n) for n in ("0.0.0.0/0", "2000::/3", "64:ff9b::/96")]


def open_(address: IPv4Address | IPv6Address) -> bool:
    """Whether the NetworkPolicies let workers there."""
    return any(
        address in ip_network(block.cidr) and not any(address in ip_network(hole) for hole in block.holes)
        for block in networks()
    )


def agree(address: IPv4Address | IPv6Address) -> None:
    nat64 = address in ip_network("64:ff9b::/96")
    told = IPv4Address(int(address) & 0xFFFFFFFF) if nat64 else address
    if any(told in network for network in _DISPUTED):
        return
    strict = any(told in network for network in _STRICTER) or not any(address in network for network in _GIVEN)
    if strict:
        assert not open_(address), address
    else:
        assert open_(address) is public(str(address)), address


@settings(max_examples=1000)
@given(st.ip_addresses())
def test_on_any_address(address: IPv4Address | IPv6Address) -> None:
    agree(address)


@given(st.ip_addresses(network="64:ff9b::/96"))
def test_behind_nat64(address: IPv4Address | IPv6Address) -> None:
    agree(address)


@pytest.mark.parametrize("network", _EDGES)
def test_at_the_edges_of_every_network(network: str) -> None:
    found = ip_network(network)
    first, last = int(found.network_address), int(found.broadcast_address)
    for number in (first - 1, first, last, last + 1):
        if 0 <= number < 2**found.max_prefixlen:
            agree(type(found.network_address)(number))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_the_internet_is_open(address: str) -> None:
    assert open_(ip_address(address))
    assert public(address)
