"""Random clusters and policies, in a few words so that rules often meet pods."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SPACES = ("alpha", "beta")
KEYS, VALUES, NAMES = ("app", "tier"), ("a", "b"), ("http", "dns")
NUMBERS = (53, 80, 8080)
PROTOCOLS = ("TCP", "UDP", "SCTP")
ADDRESSES = ("10.244.0.5", "10.244.0.6", "10.244.1.7", "10.244.1.8", "fd00::5", "fd00::6")
OUTSIDE = ("192.168.1.1", "8.8.8.8", "2606::1")
NETWORKS = {
    "0.0.0.0/0": ("10.0.0.0/8", "10.244.0.0/24", "192.168.0.0/16"),
    "10.244.0.0/16": ("10.244.0.5/32", "10.244.1.0/24"),
    "192.168.0.0/16": ("192.168.1.0/24",),
    "::/0": ("fd00::/8", "fd00::5/128"),
}

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
expressions = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(KEYS),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True),
        }
    ),
    st.fixed_dictionaries({"key": st.sampled_from(KEYS), "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
selectors = st.fixed_dictionaries(
    {}, optional={"matchLabels": labels, "matchExpressions": st.lists(expressions, max_size=2)}
)


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    cidr = draw(st.sampled_from(sorted(NETWORKS)))
    holes = draw(st.lists(st.sampled_from(NETWORKS[cidr]), max_size=2, unique=True))
    return {"ipBlock": {"cidr": cidr, **({"except": holes} if holes else {})}}


peers = st.one_of(
    blocks(),
    st.fixed_dictionaries({"podSelector": selectors}, optional={"namespaceSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": selectors}),
)


@st.composite
def ports(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"protocol": draw(st.sampled_from(PROTOCOLS))} if draw(st.booleans()) else {}
    kind = draw(st.sampled_from(["none", "number", "range", "name"]))
    if kind == "name":
        return {**found, "port": draw(st.sampled_from(NAMES))}
    if kind == "none":
        return found
    first = draw(st.sampled_from(NUMBERS))
    return {**found, "port": first, **({"endPort": draw(st.integers(first, 9000))} if kind == "range" else {})}


def rules(who: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={who: st.lists(peers, max_size=2), "ports": st.lists(ports(), max_size=2)}
    )


policies = st.builds(
    lambda space, spec: {"metadata": {"name": "p", "namespace": space}, "spec": spec},
    st.sampled_from(SPACES),
    st.fixed_dictionaries(
        {"podSelector": selectors},
        optional={
            "policyTypes": st.lists(st.sampled_from(["Ingress", "Egress"]), min_size=1, max_size=2, unique=True),
            "ingress": st.lists(rules("from"), max_size=2),
            "egress": st.lists(rules("to"), max_size=2),
        },
    ),
)
namespaces = st.tuples(labels, labels).map(
    lambda both: [{"metadata": {"name": n, "labels": found}} for n, found in zip(SPACES, both, strict=True)]
)
container_ports = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(NAMES), "containerPort": st.sampled_from(NUMBERS)},
        optional={"protocol": st.sampled_from(PROTOCOLS)},
    ),
    max_size=2,
    unique_by=lambda port: port["name"],
)


@st.composite
def pods(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": f"pod-{n}", "namespace": draw(st.sampled_from(SPACES)), "labels": draw(labels)},
            "spec": {"containers": [{"ports": draw(container_ports)}]},
            "status": {"phase": "Running", "podIPs": [{"ip": address}]},
        }
        for n, address in enumerate(ADDRESSES)
    ]
