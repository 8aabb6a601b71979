"""From a table to a script for `nft -f`: pure. The whole table is replaced in one transaction."""

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, collapse_addresses, ip_network

from testbed.enforcer.table import Match, Ports, Table
from testbed.enforcer.world import Address, Network

NAME = "inet network-policies"
# A side of the packet's header: whose rules are looked up, and against what they are held.
_SIDES = {"egress": ("saddr", "daddr"), "ingress": ("daddr", "saddr")}


def script(table: Table, pod_cidr: str) -> str:
    """The rules. Packets of connections that were let in pass; an address of `pod_cidr` that is no pod's does not."""
    chains: dict[str, list[str]] = {}
    looks: list[str] = []
    for direction, (own, other) in _SIDES.items():
        entries = {}
        for address, matches in sorted(getattr(table, direction).items(), key=lambda item: str(item[0])):
            rules = [line for match in matches for line in _rules(match, other)]
            name = f"{direction}_{hashlib.sha256(chr(10).join(rules).encode()).hexdigest()[:12]}"
            chains[name] = [*rules, "counter drop"]
            entries[address] = name
        looks.append(_chain(direction, _jumps(entries, own)))
    passing = "ct state established,related accept"
    nobody = {side: _unknown(table.pods, ip_network(pod_cidr), side) for side in ("saddr", "daddr")}
    hooks = [
        _hook("forward", [passing, *nobody.values(), "jump egress", "jump ingress"]),
        # The node talks to itself under its own address, which may be one of the pods' range.
        _hook("input", [passing, 'iif "lo" accept', nobody["saddr"], "jump egress"]),
    ]
    body = [*(_chain(name, rules) for name, rules in chains.items()), *looks, *hooks]
    # The first line makes it, so that the second can delete it whether or not it was there.
    return "\n".join([f"table {NAME}", f"delete table {NAME}", f"table {NAME} {{", *body, "}", ""])


def _rules(match: Match, side: str) -> Iterable[str]:
    """One rule a family of addresses; none for a family without any."""
    ports = _ports(match)
    if match.networks is None:
        yield f"{ports} return".strip()
        return
    for version in (4, 6):
        networks = _collapsed(match.networks, version)
        if networks:
            holes = _collapsed(match.holes, version)
            yield " ".join(filter(None, [_among(networks, side), _among(holes, side, "!= "), ports, "return"]))


def _among(networks: list[Network], side: str, sign: str = "") -> str:
    if not networks:
        return ""
    if networks[0].prefixlen == 0:  # no set takes the whole
        return f"meta nfproto {sign}{'ipv4' if isinstance(networks[0], IPv4Network) else 'ipv6'}"
    return f"{_family(networks[0])} {side} {sign}{{ {', '.join(map(str, networks))} }}"


def _collapsed(networks: Iterable[Network], version: int) -> list[Network]:
    """Without overlaps, which a set refuses."""
    if version == 4:
        return [*collapse_addresses(n for n in networks if isinstance(n, IPv4Network))]
    return [*collapse_addresses(n for n in networks if not isinstance(n, IPv4Network))]


def _ports(match: Match) -> str:
    if match.protocol is None:
        return ""
    protocol = match.protocol.lower()
    if not match.ports:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {{ {', '.join(map(_range, match.ports))} }}"


def _range(ports: Ports) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def _jumps(entries: Mapping[Address, str], side: str) -> list[str]:
    lines = []
    for family, version in (("ip", 4), ("ip6", 6)):
        mine = [f"{address} : jump {chain}" for address, chain in entries.items() if address.version == version]
        lines += [f"{family} {side} vmap {{ {', '.join(mine)} }}"] if mine else []
    return lines


def _unknown(pods: Iterable[Address], cidr: Network, side: str) -> str:
    """Closes the addresses of pods that are no pod's, as far as anybody knows."""
    known = sorted(str(address) for address in pods if address.version == cidr.version)
    but = f"{_family(cidr)} {side} != {{ {', '.join(known)} }} " if known else ""
    return f"{_family(cidr)} {side} {cidr} {but}counter drop"


def _family(network: Network) -> str:
    return "ip" if isinstance(network, IPv4Network) else "ip6"


def _chain(name: str, rules: Iterable[str]) -> str:
    return f"  chain {name} {{\n" + "".join(f"    {rule}\n" for rule in rules) + "  }"


def _hook(name: str, rules: Iterable[str]) -> str:
    return _chain(name, [f"type filter hook {name} priority filter; policy accept;", *rules])
