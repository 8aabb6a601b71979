"""The script for nft: what it says. That nft takes it is seen in tests/cluster/test_enforcer.py."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from testbed.enforcer.nft import script
from testbed.enforcer.table import Match, Table

CIDR = "10.244.0.0/16"
POD = ip_address("10.244.0.5")


def lines(*matches: Match) -> list[str]:
    """The rules that a pod's ingress becomes."""
    text = script(Table(frozenset({POD}), {}, {POD: matches}), CIDR)
    chain = text.partition("chain ingress_")[2].partition("{\n")[2].partition("  }")[0]
    return [line.strip() for line in chain.splitlines()]


def networks(*found: str) -> tuple[Any, ...]:
    return tuple(ip_network(each) for each in found)


@pytest.mark.parametrize(
    ("match", "rules"),
    [
        (Match(None), ["return"]),
        (Match(()), []),
        (Match(None, (), "TCP", ((80, 80), (90, 99))), ["tcp dport { 80, 90-99 } return"]),
        (Match(None, (), "UDP"), ["meta l4proto udp return"]),
        (Match(networks("10.0.0.0/9", "10.128.0.0/9", "10.1.1.1/32")), ["ip saddr { 10.0.0.0/8 } return"]),
        (Match(networks("0.0.0.0/0"), networks("10.0.0.0/8")), ["meta nfproto ipv4 ip saddr != { 10.0.0.0/8 } return"]),
        (
            Match(networks("fd00::/8", "10.1.1.1/32"), (), "SCTP", ((53, 53),)),
            ["ip saddr { 10.1.1.1/32 } sctp dport { 53 } return", "ip6 saddr { fd00::/8 } sctp dport { 53 } return"],
        ),
    ],
)
def test_a_match_is_a_rule_a_family(match: Match, rules: list[str]) -> None:
    assert lines(match) == [*rules, "counter drop"]


def test_the_order_of_the_hooks() -> None:
    text = script(Table(frozenset({POD}), {POD: ()}, {}), CIDR)
    forward = text.partition("chain forward {")[2].partition("  }")[0].strip().splitlines()
    assert [line.strip().partition(" ")[0] for line in forward] == ["type", "ct", "ip", "ip", "jump", "jump"]
    assert "ip saddr 10.244.0.0/16 ip saddr != { 10.244.0.5 } counter drop" in text
    assert text.startswith("table inet network-policies\ndelete table inet network-policies\n")


def test_pods_with_the_same_rules_share_a_chain() -> None:
    other = ip_address("10.244.0.6")
    text = script(Table(frozenset({POD, other}), {}, dict.fromkeys((POD, other), (Match(None),))), CIDR)
    assert text.count("chain ingress_") == 1
    assert text.count(": jump ingress_") == 2
