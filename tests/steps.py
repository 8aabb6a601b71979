"""What a person does to a cluster, as functions: install, apply, watch, forward a port, speak.

Nothing here polls: every wait is a Kubernetes watch that ends when its predicate holds, or fails with the last
state seen.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from manifests import Manifest
from testbed import Cluster

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "whisper-operator"
SYSTEM = "whisper-system"
TRANSCRIBER_KIND = "whispertranscriber"
JOB_KIND = "transcriptionjob"


class NotReached(AssertionError):
    """The awaited state did not come; the message holds the last state seen."""


@dataclass(frozen=True)
class Service:
    """A transcriber that is Ready."""

    cluster: Cluster
    namespace: str
    name: str


def helm(cluster: Cluster, *arguments: str) -> str:
    """Run helm against the cluster and return what it printed."""
    done = subprocess.run(["helm", *arguments], env=cluster.env(), capture_output=True, text=True)
    assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
    return done.stdout


CLOSED = ("--set", "networkPolicy.egress.restricted=true")
"""Of the chart: the operator closed as far as it can be."""


def install(cluster: Cluster, *arguments: str) -> None:
    """Install or upgrade the operator from the chart and wait until both replicas are ready."""
    helm(
        cluster,
        *("upgrade", "--install", "whisper-operator", str(CHART)),
        *("--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "5m", *arguments),
    )


def uninstall(cluster: Cluster) -> None:
    """`helm uninstall`, waiting until the operator's pods are gone."""
    helm(cluster, "uninstall", "whisper-operator", "--namespace", SYSTEM, "--wait", "--timeout", "3m")


def apply(cluster: Cluster, namespace: str, *manifests: Manifest) -> None:
    """`kubectl apply` with strict validation, as a person would."""
    cluster.kubectl(
        *(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--validate=strict",
            "--namespace",
            namespace,
            "--filename",
            "-",
        ),
        input=yaml.safe_dump_all(manifests),
    )


def get(cluster: Cluster, namespace: str, kind: str, name: str) -> dict[str, Any]:
    """The live object."""
    return dict(json.loads(cluster.kubectl("get", kind, name, "--namespace", namespace, "--output", "json")))


def names(cluster: Cluster, namespace: str, kind: str) -> set[str]:
    """The names of all objects of a kind in the namespace."""
    listed = json.loads(cluster.kubectl("get", kind, "--namespace", namespace, "--output", "json"))
    return {item["metadata"]["name"] for item in listed["items"]}


def until(
    cluster: Cluster,
    namespace: str,
    kind: str,
    name: str,
    predicate: Callable[[dict[str, Any]], bool],
    seconds: float,
) -> dict[str, Any]:
    """Watch one object until the predicate holds.

    Raises: NotReached after ``seconds``, with the last status seen and the namespace's pods and events.
    """
    # By a selector, never by name: of a single object kubectl drops the first event of its watch as one it has printed
    # already, and with it whatever happened between its reading and its watching.
    watch = subprocess.Popen(
        [
            *("kubectl", "get", kind, "--field-selector", f"metadata.name={name}"),
            *("--namespace", namespace, "--watch", "--output", "json"),
        ],
        env=cluster.env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    clock = threading.Timer(seconds, watch.kill)
    clock.start()
    last: dict[str, Any] = {}
    try:
        for last in _objects(watch):
            if predicate(last):
                return last
    finally:
        clock.cancel()
        watch.kill()
        watch.wait()
        if watch.stdout:
            watch.stdout.close()
    raise NotReached(
        f"{kind}/{name} did not get there in {seconds:.0f} s; last status:\n"
        f"{yaml.safe_dump(last.get('status'))}\n"
        f"{situation(cluster, namespace)}"
    )


def _objects(watch: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """kubectl prints one indented JSON object after another: a line that is only a closing brace ends each."""
    assert watch.stdout
    lines: list[str] = []
    for line in watch.stdout:
        lines.append(line)
        if line.rstrip("\n") == "}":
            yield json.loads("".join(lines))
            lines = []


def situation(cluster: Cluster, namespace: str) -> str:
    """What a person would look at when something does not come up."""
    return "\n".join(
        cluster.kubectl("get", what, "--namespace", namespace, *extra)
        for what, extra in (("pods", ("--output", "wide")), ("events", ("--sort-by=.lastTimestamp",)))
    )


def condition(resource: Manifest, kind: str) -> dict[str, Any]:
    """The condition of that type, or an empty one."""
    conditions: Sequence[dict[str, Any]] = resource.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


def holds(kind: str, status: str = "True", reason: str | None = None) -> Callable[[dict[str, Any]], bool]:
    """A predicate: the condition has that status (and reason) for the newest generation."""

    def check(resource: dict[str, Any]) -> bool:
        found = condition(resource, kind)
        return (
            found.get("status") == status
            and (reason is None or found.get("reason") == reason)
            and found.get("observedGeneration") == resource["metadata"]["generation"]
        )

    return check


def finished(resource: dict[str, Any]) -> bool:
    """A TranscriptionJob that ended, either way."""
    return condition(resource, "Succeeded").get("status") in ("True", "False")


@contextmanager
def forwarded(cluster: Cluster, namespace: str, name: str, port: int = 80, *, kind: str = "service") -> Iterator[str]:
    """The base URL of a service, or of a pod, by `kubectl port-forward`, while the block runs."""
    forward = subprocess.Popen(
        ["kubectl", "port-forward", f"{kind}/{name}", f":{port}", "--namespace", namespace],
        env=cluster.env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert forward.stdout
        first = forward.stdout.readline()
        assert first.startswith("Forwarding from 127.0.0.1:"), first
        yield f"http://127.0.0.1:{first.split(':')[1].split()[0]}"
    finally:
        forward.kill()
        forward.communicate()


def api_key(cluster: Cluster, namespace: str, transcriber: str) -> str:
    """The key that the operator made for a transcriber's API."""
    return cluster.kubectl(
        *("get", "secret", f"{transcriber}-api-key", "--namespace", namespace),
        *("--output", 'go-template={{index .data "api-key" | base64decode}}'),
    )


def fetch(cluster: Cluster, namespace: str, transcriber: str, path: str) -> str:
    """GET a path of a transcriber's API with its key.

    Raises: httpx.HTTPStatusError when the answer is no 2xx.
    """
    headers = {"Authorization": f"Bearer {api_key(cluster, namespace, transcriber)}"}
    with forwarded(cluster, namespace, f"{transcriber}-api") as url:
        return httpx.get(url + path, headers=headers, timeout=30).raise_for_status().text


def refusal(cluster: Cluster, namespace: str, manifest: Manifest) -> str:
    """What kubectl says when the API server refuses the manifest."""
    done = subprocess.run(
        ["kubectl", "apply", "--server-side", "--validate=strict", "--namespace", namespace, "--filename", "-"],
        input=yaml.safe_dump(manifest),
        env=cluster.env(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0, f"accepted: {done.stdout}"
    return done.stderr


def merge(cluster: Cluster, namespace: str, transcriber: str, spec: Manifest) -> None:
    """`kubectl patch` of a transcriber's spec; null removes a field."""
    patch = json.dumps({"spec": spec})
    cluster.kubectl("patch", TRANSCRIBER_KIND, transcriber, "--namespace", namespace, "--type=merge", "--patch", patch)


def until_gone(cluster: Cluster, namespace: str, kind: str, name: str, seconds: int) -> None:
    """Wait until the object is deleted."""
    cluster.kubectl("wait", "--for=delete", f"{kind}/{name}", "--namespace", namespace, f"--timeout={seconds}s")


def until_exists(cluster: Cluster, namespace: str, kind: str, name: str, seconds: int) -> dict[str, Any]:
    """Wait until the object is there, and return it."""
    cluster.kubectl("wait", "--for=create", f"{kind}/{name}", "--namespace", namespace, f"--timeout={seconds}s")
    return get(cluster, namespace, kind, name)


def holds_pod_ready(pod: dict[str, Any]) -> bool:
    """A pod whose Ready condition is true."""
    return condition(pod, "Ready").get("status") == "True"


_KILL = """
import os, pathlib, signal
for process in pathlib.Path("/proc").iterdir():
    if process.name.isdigit() and int(process.name) not in (1, os.getpid()):
        if {word!r} in (process / "cmdline").read_text():
            os.kill(int(process.name), signal.SIGKILL)
"""


def sigkill(cluster: Cluster, namespace: str, selector: str, word: str) -> None:
    """SIGKILL, inside the pod, the processes whose command line holds the word (but not its init)."""
    pod = cluster.kubectl("get", "pod", "--namespace", namespace, "--selector", selector, "--output", "name").split()[0]
    cluster.kubectl("exec", pod, "--namespace", namespace, "--", "python3", "-c", _KILL.format(word=word))
