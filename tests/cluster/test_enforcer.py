"""The test bed enforces NetworkPolicies: connections are tried between real pods. (kind brings its own enforcer.)"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import testbed
from testbed import network, paths, tiny
from testbed.enforcer.nft import script
from testbed.enforcer.table import table
from testbed.enforcer.world import world
from testbed.waiting import GaveUp, until
from unit.testbed_enforcer import worlds

pytestmark = pytest.mark.cluster

PORT, OTHER = 8000, 8001


@dataclass
class Lab:
    """Pods `web`, `friend` and `stranger` in one namespace, `guest` in another; each serves on two ports."""

    cluster: testbed.Cluster
    spaces: dict[str, str]
    addresses: dict[str, str]

    def exec(self, source: str, *words: str) -> list[str]:
        return ["kubectl", "exec", "--stdin", "-n", self.spaces[source], source, "--", "/probe", *words]

    def dial(self, source: str, *targets: str) -> dict[str, str]:
        """What becomes of connections to pod or address:port: open, refused or dropped."""
        names = {f"{self.addresses.get(host, host)}:{port}": f"{host}:{port}" for host, port in map(split, targets)}
        said = self.cluster.kubectl(*self.exec(source, "dial", *names)[1:])
        return {names[line.split()[0]]: line.split()[1] for line in said.splitlines()}

    def policy(self, name: str, **spec: Any) -> None:
        manifest = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": self.spaces["web"]},
            "spec": spec,
        }
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def becomes(self, wanted: dict[str, dict[str, str]]) -> None:
        """Wait until connections from each source end as they should."""
        seen: dict[str, dict[str, str]] = {}

        def so() -> bool:
            seen.update({source: self.dial(source, *targets) for source, targets in wanted.items()})
            return seen == wanted

        try:
            until("policies", so, timeout=20)
        except GaveUp:
            assert seen == wanted


def split(target: str) -> tuple[str, int]:
    host, _, port = target.partition(":")
    return host, int(port or PORT)


def manifest(name: str, namespace: str) -> dict[str, Any]:
    container = {
        "image": tiny.PROBE,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    named = {"ports": [{"name": "http", "containerPort": PORT}]}
    ready = {"readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {"name": "probe", "args": ["serve", f":{PORT}"], **container, **named, **ready},
                {"name": "other", "args": ["serve", f":{OTHER}"], **container},
            ],
        },
    }


@pytest.fixture(scope="module")
def pods(cluster: testbed.Cluster) -> Iterator[Lab]:
    cluster.load(tiny.probe())
    home, away = "enforced", "enforced-guest"
    spaces = {"web": home, "friend": home, "stranger": home, "guest": away}
    for space in (home, away):
        cluster.kubectl("create", "namespace", space)
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", space, "--timeout=60s")
    items = [manifest(name, space) for name, space in spaces.items()]
    cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    addresses = {}
    for name, space in spaces.items():
        cluster.kubectl("wait", "-n", space, "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
        addresses[name] = cluster.kubectl("get", "pod", name, "-n", space, "-o", "jsonpath={.status.podIP}")
    yield Lab(cluster, spaces, addresses)
    cluster.kubectl("delete", "namespace", home, away, "--wait=false")


@pytest.fixture
def lab(pods: Lab) -> Iterator[Lab]:
    """Without policies at the beginning and at the end."""
    yield pods
    pods.cluster.kubectl("delete", "networkpolicies", "--all", "-n", pods.spaces["web"])


WEB = {"matchLabels": {"app": "web"}}
FRIEND = {"podSelector": {"matchLabels": {"app": "friend"}}}
GUESTS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "enforced-guest"}}}


def test_without_policies_everything_is_open(lab: Lab) -> None:
    for source in lab.spaces:
        targets = [t for t in lab.spaces if t != source]
        assert lab.dial(source, *targets) == dict.fromkeys((f"{t}:{PORT}" for t in targets), "open")


def test_who_may_come_in(lab: Lab) -> None:
    lab.policy("in", podSelector=WEB, policyTypes=["Ingress"])
    closed = {f"web:{PORT}": "dropped", f"web:{OTHER}": "dropped"}
    lab.becomes({"friend": closed, "stranger": closed, "guest": closed})
    lab.policy("named", podSelector=WEB, ingress=[{"from": [FRIEND], "ports": [{"port": "http"}]}])
    lab.policy("guests", podSelector=WEB, ingress=[{"from": [GUESTS], "ports": [{"port": OTHER, "endPort": OTHER}]}])
    lab.becomes(
        {
            "friend": {f"web:{PORT}": "open", f"web:{OTHER}": "dropped"},
            "guest": {f"web:{PORT}": "dropped", f"web:{OTHER}": "open"},
            "stranger": closed,
            "web": {f"web:{PORT}": "open", f"friend:{PORT}": "open"},
        }
    )
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    assert lab.cluster.kubectl("get", "pod", "web", "-n", "enforced", "-o", ready) == "True", (
        "the kubelet's probes pass"
    )


def test_who_may_go_out(lab: Lab) -> None:
    hole = f"{lab.addresses['guest']}/32"
    block = {"ipBlock": {"cidr": network.POD_CIDR, "except": [hole]}}
    lab.policy("out", podSelector=WEB, policyTypes=["Egress"], egress=[{"to": [block], "ports": [{"port": PORT}]}])
    web = {f"friend:{PORT}": "open", f"friend:{OTHER}": "dropped", f"guest:{PORT}": "dropped"}
    friend = {f"web:{PORT}": "open"}
    if lab.cluster.made_of == "node":  # what leaves for the node itself; Kubernetes leaves it to the network
        node = f"{network.GATEWAY}:53"
        web, friend = {**web, node: "dropped"}, {**friend, node: "open"}
    lab.becomes({"web": web, "friend": friend})


def test_a_connection_that_was_let_in_stays(lab: Lab) -> None:
    url = f"http://{lab.addresses['web']}:{PORT}"
    words = lab.exec("friend", "chat", url)
    with subprocess.Popen(words, env=lab.cluster.env(), stdin=-1, stdout=-1, text=True, bufsize=1) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        answers = []
        for _ in range(2):
            chat.stdin.write("\n")
            answers.append(chat.stdout.readline().strip())
            lab.policy("in", podSelector=WEB, policyTypes=["Ingress"])
            lab.becomes({"friend": {f"web:{PORT}": "dropped"}})
        chat.stdin.close()
    assert answers == ["web", "web"]


def test_a_pod_and_a_namespace_that_change_their_labels(lab: Lab) -> None:
    labelled = {"namespaceSelector": {"matchLabels": {"trusted": "yes"}}}
    lab.policy("in", podSelector=WEB, ingress=[{"from": [FRIEND, labelled]}])
    lab.becomes({"stranger": {f"web:{PORT}": "dropped"}, "guest": {f"web:{PORT}": "dropped"}})
    lab.cluster.kubectl("label", "pod", "stranger", "-n", "enforced", "app=friend", "--overwrite")
    lab.cluster.kubectl("label", "namespace", "enforced-guest", "trusted=yes")
    lab.becomes({"stranger": {f"web:{PORT}": "open"}, "guest": {f"web:{PORT}": "open"}})
    lab.cluster.kubectl("label", "pod", "stranger", "-n", "enforced", "app=stranger", "--overwrite")
    lab.cluster.kubectl("label", "namespace", "enforced-guest", "trusted-")
    lab.becomes({"stranger": {f"web:{PORT}": "dropped"}, "guest": {f"web:{PORT}": "dropped"}})


@given(pods=worlds.pods(), namespaces=worlds.namespaces, policies=st.lists(worlds.policies, min_size=1, max_size=4))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_nft_takes_any_script(cluster: testbed.Cluster, pods: Any, namespaces: Any, policies: Any) -> None:
    if cluster.made_of == "kind":
        return
    text = script(table(world(pods, namespaces, policies)), network.POD_CIDR)
    words = ["nsenter", f"--net={paths.netns(cluster.name)}", "nft", "--check", "--file", "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{text}"
