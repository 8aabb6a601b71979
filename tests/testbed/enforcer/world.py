"""What the API server says about pods, namespaces and policies, as far as connections depend on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Object = Mapping[str, Any]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Pod:
    """A pod that has addresses of its own. `ports`: (protocol, number) by name."""

    namespace: str
    labels: Mapping[str, str]
    addresses: tuple[Address, ...]
    ports: Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class World:
    """`namespaces`: their labels by name. `policies` as the API has them, defaults filled in."""

    pods: tuple[Pod, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    policies: tuple[Object, ...]


def world(pods: Iterable[Object], namespaces: Iterable[Object], policies: Iterable[Object]) -> World:
    """The world in objects of the API. Pods on the host's network are the node, and pods that ended are nobody."""
    return World(
        tuple(_pod(pod) for pod in pods if _counts(pod)),
        {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces},
        tuple(policies),
    )


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches these labels."""
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _holds(each["operator"], labels.get(each["key"]), each.get("values") or ())
        for each in selector.get("matchExpressions") or ()
    )


def _holds(operator: str, value: str | None, values: Sequence[str]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:  # DoesNotExist: the API server lets nothing else through
            return value is None


def _counts(pod: Object) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIPs")) and not pod["spec"].get("hostNetwork") and status.get("phase") not in _ENDED


def _pod(pod: Object) -> Pod:
    meta, spec = pod["metadata"], pod["spec"]
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    ports = [port for container in containers for port in container.get("ports") or () if port.get("name")]
    return Pod(
        meta["namespace"],
        meta.get("labels") or {},
        tuple(ip_address(each["ip"]) for each in pod["status"]["podIPs"]),
        {port["name"]: (port.get("protocol", "TCP"), port["containerPort"]) for port in ports},
    )
