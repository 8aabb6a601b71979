"""From the world to what each pod's address may send and receive: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from testbed.enforcer.world import Address, Network, Object, Pod, World, selects

_WHO = {"Ingress": "from", "Egress": "to"}
Ports = tuple[int, int]
"""The first and the last of a range."""


@dataclass(frozen=True)
class Match:
    """Connections that pass: with an address in `networks` but not in `holes` (None: any), and to one of `ports`.

    `protocol` None: any at all; no `ports`: all of the protocol's.
    """

    networks: tuple[Network, ...] | None
    holes: tuple[Network, ...] = ()
    protocol: str | None = None
    ports: tuple[Ports, ...] = ()


@dataclass(frozen=True)
class Table:
    """`pods`: every address of a pod. `egress` and `ingress`: of those that are isolated, what passes all the same."""

    pods: frozenset[Address]
    egress: Mapping[Address, tuple[Match, ...]]
    ingress: Mapping[Address, tuple[Match, ...]]


def table(world: World) -> Table:
    """What to enforce."""
    return Table(
        frozenset(address for pod in world.pods for address in pod.addresses),
        _direction(world, "Egress"),
        _direction(world, "Ingress"),
    )


def _direction(world: World, direction: str) -> dict[Address, tuple[Match, ...]]:
    found: dict[Address, tuple[Match, ...]] = {}
    for pod in world.pods:
        policies = [policy for policy in world.policies if _isolates(policy, direction, pod)]
        if policies:
            matches = dict.fromkeys(m for policy in policies for m in _matches(world, policy, direction, pod))
            # To itself, through its own Service, a pod always may.
            itself = Match(tuple(ip_network(address) for address in pod.addresses))
            found |= dict.fromkeys(pod.addresses, (itself, *matches))
    return found


def _isolates(policy: Object, direction: str, pod: Pod) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ("Ingress", "Egress")[: 2 if spec.get("egress") else 1]
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and direction in types and selects(spec.get("podSelector") or {}, pod.labels)


def _matches(world: World, policy: Object, direction: str, own: Pod) -> Iterator[Match]:
    for rule in policy["spec"].get(direction.lower()) or ():
        whom = [_peer(world, peer, own.namespace) for peer in rule.get(_WHO[direction]) or ()] or [Match(None)]
        for port in rule.get("ports") or ({"protocol": None},):
            for who in whom:
                yield from _narrowed(world, who, port, own if direction == "Ingress" else None)


def _peer(world: World, peer: Object, here: str) -> Match:
    """Everybody whom a peer means."""
    if block := peer.get("ipBlock"):
        return Match((ip_network(block["cidr"]),), tuple(ip_network(hole) for hole in block.get("except") or ()))
    spaces = peer.get("namespaceSelector")
    names = {here} if spaces is None else {n for n, labels in world.namespaces.items() if selects(spaces, labels)}
    pods = [p for p in world.pods if p.namespace in names and selects(peer.get("podSelector") or {}, p.labels)]
    return Match(tuple(ip_network(address) for pod in pods for address in pod.addresses))


def _narrowed(world: World, who: Match, port: Object, target: Pod | None) -> Iterator[Match]:
    """`who`, at a port. A named one is the target's own: the pod's behind the policy (`target`), or each peer's."""
    protocol = port.get("protocol", "TCP")
    wanted = port.get("port")
    if isinstance(wanted, str):
        for pod in [target] if target else _within(world, who):
            if (named := pod.ports.get(wanted)) and named[0] == protocol:
                places = tuple(ip_network(address) for address in pod.addresses)
                networks, holes = (who.networks, who.holes) if target else (places, ())
                yield Match(networks, holes, protocol, ((named[1], named[1]),))
    else:
        ports = ((wanted, port.get("endPort", wanted)),) if wanted is not None else ()
        yield Match(who.networks, who.holes, protocol, ports)


def _within(world: World, who: Match) -> Sequence[Pod]:
    return [pod for pod in world.pods if any(inside(address, who) for address in pod.addresses)]


def inside(address: Address, match: Match) -> bool:
    """Whether a match means this address."""
    if match.networks is None:
        return True
    return any(address in n for n in match.networks) and not any(address in hole for hole in match.holes)
