"""What the enforcer decides, beside a plain reading of the same policies."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import End, allowed
from testbed.enforcer.table import Match, Table, inside, table
from testbed.enforcer.world import Address, world
from unit.testbed_enforcer import worlds


def passes(decided: Table, source: str, target: str, port: int, protocol: str) -> bool:
    """What becomes of a connection under a table, as the kernel would go through it."""

    def among(matches: tuple[Match, ...] | None, other: Address) -> bool:
        return matches is None or any(
            inside(other, match)
            and match.protocol in (None, protocol)
            and (not match.ports or any(first <= port <= last for first, last in match.ports))
            for match in matches
        )

    here, there = ip_address(source), ip_address(target)
    return among(decided.egress.get(here), there) and among(decided.ingress.get(there), here)


def ends(pods: list[dict[str, Any]], namespaces: list[dict[str, Any]]) -> list[End]:
    spaces = {each["metadata"]["name"]: each["metadata"]["labels"] for each in namespaces}
    found = [
        End(
            pod["status"]["podIPs"][0]["ip"],
            pod["metadata"]["namespace"],
            pod["metadata"]["labels"],
            spaces[pod["metadata"]["namespace"]],
            {
                port["name"]: (port.get("protocol", "TCP"), port["containerPort"])
                for port in pod["spec"]["containers"][0]["ports"]
            },
        )
        for pod in pods
    ]
    return [*found, *(End(address) for address in worlds.OUTSIDE)]


@given(
    pods=worlds.pods(),
    namespaces=worlds.namespaces,
    policies=st.lists(worlds.policies, max_size=4),
    port=st.sampled_from([*worlds.NUMBERS, 81]),
    protocol=st.sampled_from(worlds.PROTOCOLS),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_connection_passes_if_and_only_if_the_policies_say_so(
    pods: Any, namespaces: Any, policies: Any, port: int, protocol: str
) -> None:
    decided = table(world(pods, namespaces, policies))
    everybody = ends(pods, namespaces)
    for source in everybody:
        for target in everybody:
            expected = allowed(policies, source, target, port, protocol)
            assert passes(decided, source.address, target.address, port, protocol) is expected, (source, target)


def pod(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "metadata": {"name": "a", "namespace": "alpha"},
        "spec": {"containers": [{}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.244.0.5"}]},
    }
    return {**plain, **changes}


def test_who_is_no_pod() -> None:
    def addresses(each: dict[str, Any]) -> int:
        return len(table(world([each], [], [])).pods)

    assert addresses(pod()) == 1
    assert addresses(pod(spec={"containers": [{}], "hostNetwork": True})) == 0
    assert addresses(pod(status={"phase": "Succeeded", "podIPs": [{"ip": "10.244.0.5"}]})) == 0
    assert addresses(pod(status={"phase": "Pending"})) == 0
    assert addresses(pod(status={"phase": "Running", "podIPs": [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}]})) == 2
