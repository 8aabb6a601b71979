"""Which addresses are public: networks for the ipBlocks of NetworkPolicies."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

# IANA's special-purpose registries: what is not globally reachable, and multicast.
_NOT_PUBLIC_V4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4"),
    # Azure's wire server has a public address and answers only inside.
    *("240.0.0.0/4", "168.63.129.16/32"),
)
# Of 2000::/3, which alone is global unicast: protocol assignments, documentation (twice), and 6to4, which leads on to
# any IPv4 address.
_NOT_PUBLIC_V6 = ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
_V4, _V6, _NAT64 = "0.0.0.0/0", "2000::/3", "64:ff9b::/96"


class Block(NamedTuple):
    """A network without parts of it."""

    cidr: str
    holes: tuple[str, ...] = ()


# Networks of one's own, where allowed. Never loopback nor link-local, where clouds keep their credentials, nor what
# they have of that elsewhere: Alibaba, AWS (metadata and pod identity), Google, Oracle.
_METADATA_V6 = ("fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128")
PRIVATE = (
    Block("10.0.0.0/8"),
    Block("100.64.0.0/10", ("100.100.100.200/32",)),
    Block("172.16.0.0/12"),
    Block("192.168.0.0/16"),
    Block("fc00::/7", _METADATA_V6),
)


def public(closed: tuple[str, ...] = ()) -> list[Block]:
    """All public addresses but those in the networks `closed`: of IPv4, of IPv6, and of IPv4 behind NAT64."""
    holes = {_V4: _NOT_PUBLIC_V4, _V6: _NOT_PUBLIC_V6, _NAT64: tuple(_translated(n) for n in _NOT_PUBLIC_V4)}
    closed = (*closed, *(_translated(c) for c in closed if _inside(c, _V4)))
    return [
        Block(base, tuple(dict.fromkeys((*ours, *(c for c in closed if _inside(c, base))))))
        for base, ours in holes.items()
        if not any(_inside(base, c) for c in closed)
    ]


def _inside(part: str, whole: str) -> bool:
    a, b = ip_network(part), ip_network(whole)
    if isinstance(a, IPv4Network) and isinstance(b, IPv4Network):
        return a.subnet_of(b)
    return isinstance(a, IPv6Network) and isinstance(b, IPv6Network) and a.subnet_of(b)


def _translated(network: str) -> str:
    """An IPv4 network as NAT64's well-known prefix shows it."""
    found = IPv4Network(network)
    base = int(IPv6Network(_NAT64).network_address) + int(found.network_address)
    return str(IPv6Network((base, 96 + found.prefixlen)))
