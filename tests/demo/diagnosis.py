"""What a person would look at when the demo fails, printed before they have to ask."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from demo.stopwatch import indented, say
from testbed import Cluster

_TAIL = "--tail=40"


def explain(cluster: Cluster, system: str, namespace: str) -> None:
    """Print conditions, pods, events and log tails of the operator's and the demo's namespace."""
    for title, arguments in _questions(system, namespace):
        say(f"\n--- {title}")
        say(indented(ask(cluster, *arguments)))
    for pod in unready(ask(cluster, "get", "pods", "--namespace", namespace, "--output", "json")):
        say(f"\n--- the last words of {pod}")
        say(indented(ask(cluster, "logs", pod, "--namespace", namespace, "--all-containers", _TAIL)))


def ask(cluster: Cluster, *arguments: str) -> str:
    """What kubectl answers, its complaint included: a diagnosis goes on when one question cannot be answered."""
    done = subprocess.run(["kubectl", *arguments], env=cluster.env(), capture_output=True, text=True)
    return (done.stdout + done.stderr) or "nothing"


def _questions(system: str, namespace: str) -> Sequence[tuple[str, Sequence[str]]]:
    here = ("--namespace", namespace)
    return (
        ("resources", ("get", "whispertranscribers,transcriptionjobs", *here, "--output", "wide")),
        (
            "conditions",
            ("get", "whispertranscribers,transcriptionjobs", *here, "--output", f"go-template={_CONDITIONS}"),
        ),
        ("pods", ("get", "pods,persistentvolumeclaims", *here, "--output", "wide")),
        ("events", ("get", "events", *here, "--sort-by=.lastTimestamp")),
        ("the operator's pods", ("get", "pods", "--namespace", system, "--output", "wide")),
        (
            "the operator's last words",
            ("logs", "--namespace", system, "--selector", "app.kubernetes.io/component=operator", "--prefix", _TAIL),
        ),
    )


_CONDITIONS = (
    "{{range .items}}{{$name := .metadata.name}}{{range .status.conditions}}"
    '{{$name}}  {{.type}}={{.status}}  {{.reason}}: {{.message}}{{"\\n"}}{{end}}{{end}}'
)


def unready(listed: str) -> list[str]:
    """The names of the pods that are neither ready nor done, from `kubectl get pods --output json`."""
    try:
        pods: list[dict[str, Any]] = json.loads(listed)["items"]
    except json.JSONDecodeError:
        return []
    return [pod["metadata"]["name"] for pod in pods if not _well(pod["status"])]


def _well(status: dict[str, Any]) -> bool:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
    return ready or status.get("phase") == "Succeeded"
