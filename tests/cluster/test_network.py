"""Who may connect to whom around a transcriber: really tried, from every pod to every other, on a real node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import manifests
import steps
from assets import speech
from clips import compressed, config_map, word_error_rate
from edges import COMPONENTS, OTHER_PORT, PORTS, intended
from testbed import Cluster, network
from testbed.waiting import until

pytestmark = pytest.mark.cluster

SPACE, GUESTS = "closed", "closed-guest"
OUTSIDE = {"public": "11.22.33.44", "private": "192.168.77.7"}
# Every image has bash: no prober needs to be brought.
_DIAL = """
for target in "$@"; do (
  timeout 3 bash -c "exec 3<>/dev/tcp/${target%:*}/${target##*:}" 2>/dev/null
  case $? in 0) echo "$target open";; 124) echo "$target dropped";; *) echo "$target refused";; esac
) & done
wait
"""


@dataclass
class Place:
    """Where connections come from and go to: pods by role, as (namespace, pod, address), and hosts outside."""

    cluster: Cluster
    pods: Mapping[str, tuple[str, str, str]]
    host: list[str] = field(default_factory=list)

    def dial(self, source: str, targets: Mapping[str, str]) -> dict[str, str]:
        """open, refused or dropped, for each target by its address and port."""
        words = ["bash", "-c", _DIAL, "dial", *targets.values()]
        if source in OUTSIDE:
            said = subprocess.run([*self.host, *words], capture_output=True, text=True, check=True).stdout
        else:
            space, pod, _ = self.pods[source]
            said = self.cluster.kubectl("exec", pod, "--namespace", space, "--", *words)
        found = dict(line.split() for line in said.splitlines())
        return {target: found[address] for target, address in targets.items()}

    def resolves(self, source: str) -> bool:
        """Whether a name of the cluster is found from there."""
        space, pod, _ = self.pods[source]
        words = ["timeout", "5", "getent", "hosts", f"main-api.{SPACE}.svc.cluster.local"]
        asked = ["kubectl", "exec", pod, "--namespace", space, "--", *words]
        return subprocess.run(asked, env=self.cluster.env(), capture_output=True).returncode == 0

    def address(self, target: str) -> str:
        where = OUTSIDE.get(target) or self.pods[target][2]
        return f"{where}:{PORTS.get(target, OTHER_PORT)}"


def listener(name: str, **labels: str) -> dict[str, Any]:
    """A pod that listens, within `restricted`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name, **labels}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "listener",
                    "image": f"whisper-operator/operator:{version('whisper-operator')}",
                    "command": ["python3", "-m", "http.server", str(OTHER_PORT), "--directory", "/tmp"],
                    "readinessProbe": {"tcpSocket": {"port": OTHER_PORT}, "periodSeconds": 1},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def running(cluster: Cluster, namespace: str, selector: str) -> tuple[str, str, str]:
    listed = cluster.kubectl("get", "pods", "--namespace", namespace, "--selector", selector, "--output", "json")
    pod = next(p for p in json.loads(listed)["items"] if p["status"]["phase"] == "Running")
    return namespace, pod["metadata"]["name"], pod["status"]["podIP"]


@pytest.fixture(scope="module")
def place(operator: Cluster) -> Iterator[Place]:
    """The whole stack of `spec: {}`, Ready under `restricted` and its policies, among strangers."""
    for space in (SPACE, GUESTS):
        steps.apply(operator, "default", manifests.restricted_namespace(space))
    steps.apply(operator, SPACE, manifests.transcriber("main", workers=manifests.LIGHT), listener("stranger"))
    steps.apply(operator, GUESTS, listener("guest"))
    steps.until(operator, SPACE, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
    ours = {"whisper-operator.dev/transcriber": "main", "app.kubernetes.io/component": "migrate"}
    steps.apply(operator, SPACE, listener("migrating", **ours))
    for space, name in ((SPACE, "stranger"), (SPACE, "migrating"), (GUESTS, "guest")):
        steps.until(operator, space, "pod", name, steps.holds_pod_ready, 60)
    pods = {
        component: running(operator, SPACE, f"app.kubernetes.io/component={component}")
        for component in COMPONENTS
        if component != "migrate"
    }
    pods |= {"migrate": running(operator, SPACE, "app=migrating"), "stranger": running(operator, SPACE, "app=stranger")}
    pods |= {"guest": running(operator, GUESTS, "app=guest")}
    pods |= {"operator": running(operator, steps.SYSTEM, "app.kubernetes.io/component=operator")}
    with ExitStack() as stack:
        stack.callback(operator.kubectl, "delete", "namespace", SPACE, GUESTS, "--wait=false")
        if operator.made_of == "kind":  # no host beyond the node there
            yield Place(operator, pods)
            return
        host = stack.enter_context(network.outside(operator.name, *OUTSIDE.values()))
        server = subprocess.Popen(
            [*host, sys.executable, "-u", "-m", "http.server", str(OTHER_PORT), "--directory", "/var/empty"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        stack.enter_context(server)
        stack.callback(server.kill)
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"Serving"), "it listens"
        yield Place(operator, pods, host)


def test_the_matrix_is_the_intended_one(place: Place) -> None:
    """Table: tests/edges.py. What is dropped never answers; a refusal would mean that the packet came through."""
    wanted = {pair: open_ for pair, open_ in intended().items() if place.host or not set(pair) & set(OUTSIDE)}
    lines: dict[str, dict[str, str]] = {}
    for source, target in wanted:
        if target != "dns":
            lines.setdefault(source, {})[target] = place.address(target)

    def seen() -> dict[tuple[str, str], str]:
        with ThreadPoolExecutor(len(lines)) as pool:
            tried = pool.map(lambda line: (line[0], place.dial(*line)), lines.items())
            found = {(source, target): how for source, line in tried for target, how in line.items()}
        names = [source for source, target in wanted if target == "dns"]
        return found | {(source, "dns"): "open" if place.resolves(source) else "dropped" for source in names}

    expected = {pair: "open" if open_ else "dropped" for pair, open_ in wanted.items()}
    found = seen()
    wrong = {pair: how for pair, how in found.items() if how != expected[pair]}
    assert not wrong
    assert found.keys() == expected.keys()


def test_the_operator_reaches_what_it_needs_and_nothing_else(place: Place) -> None:
    """Its chart's policy, with egress restricted; that jobs run shows the rest."""
    targets = {target: place.address(target) for target in ("stranger", "guest", *(OUTSIDE if place.host else ()))}
    assert place.dial("operator", targets) == dict.fromkeys(targets, "dropped")


def test_a_recording_is_transcribed_under_them(place: Place, tmp_path: Path) -> None:
    clip = speech.long(12)
    steps.apply(place.cluster, SPACE, config_map("clip", {"clip.ogg": compressed(clip, tmp_path)}))
    source = {"configMap": {"name": "clip", "key": "clip.ogg"}}
    steps.apply(place.cluster, SPACE, manifests.job("closed", "main", source))
    done = steps.until(place.cluster, SPACE, steps.JOB_KIND, "closed", steps.finished, 120)
    assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
    path = f"/v1/jobs/{done['status']['jobId']}/result?format=text"
    assert word_error_rate(clip.text, steps.fetch(place.cluster, SPACE, "main", path)) < 0.25


def test_disabled_they_go_and_enabled_they_close_again(place: Place) -> None:
    """Or it might be something else that keeps the strangers out."""
    database = {"postgres": place.address("postgres")}

    def becomes(how: str) -> None:
        until(f"connections that are {how}", lambda: place.dial("stranger", database)["postgres"] == how, timeout=30)

    steps.merge(place.cluster, SPACE, "main", {"networkPolicy": {"enabled": False}})
    becomes("open")
    assert not steps.names(place.cluster, SPACE, "networkpolicies")
    steps.merge(place.cluster, SPACE, "main", {"networkPolicy": None})
    becomes("dropped")
