"""What NetworkPolicies say, read plainly: the standard that what enforces them, and what we plan, are held against.

Slow and obvious on purpose: it decides one connection at a time, straight from the manifests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with its labels, its namespace's, and its named ports; or a bare address."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def is_pod(self) -> bool:
        return bool(self.namespace)


def allowed(policies: Sequence[Manifest], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` may connect to `port` of `target`: both ends must allow it. To itself a pod always may."""
    if source.is_pod and source.address == target.address:
        return True
    return _may(policies, "Egress", source, target, port, protocol) and _may(
        policies, "Ingress", source, target, port, protocol
    )


def _may(policies: Sequence[Manifest], direction: str, source: End, target: End, port: int, protocol: str) -> bool:
    own, other = (source, target) if direction == "Egress" else (target, source)
    isolating = [p for p in policies if _applies(p, direction, own)]
    rules = [rule for policy in isolating for rule in policy["spec"].get(direction.lower()) or ()]
    who = "to" if direction == "Egress" else "from"

    def passes(rule: Manifest) -> bool:
        peers, ports = rule.get(who), rule.get("ports")
        return (not peers or any(_is(peer, other, own.namespace) for peer in peers)) and (
            not ports or any(_port(each, target, port, protocol) for each in ports)
        )

    return not isolating or any(passes(rule) for rule in rules)


def _applies(policy: Manifest, direction: str, own: End) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    if not own.is_pod or policy["metadata"]["namespace"] != own.namespace or direction not in types:
        return False
    return selects(spec.get("podSelector") or {}, own.labels)


def _is(peer: Manifest, other: End, here: str) -> bool:
    block = peer.get("ipBlock")
    if block:
        address = ip_address(other.address)
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(hole) for hole in block.get("except") or ()
        )
    if not other.is_pod:
        return False
    spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    place = other.namespace == here if spaces is None else selects(spaces, other.namespace_labels)
    return place and selects(pods or {}, other.labels)


def _port(wanted: Manifest, target: End, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    number = wanted.get("port")
    if isinstance(number, str):
        return target.ports.get(number) == (protocol, port)
    return number is None or number <= port <= wanted.get("endPort", number)


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    exact = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _holds(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression["operator"])
