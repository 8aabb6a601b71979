"""Plans of resources, and what Pod Security `restricted` has against their pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate

PLAN = PlanSettings()
COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def transcriber(name: str = "main", **spec: Any) -> WhisperTranscriber:
    metadata = {"name": name, "namespace": "speech", "uid": "uid-1"}
    return WhisperTranscriber.parse({"metadata": metadata, "spec": spec})


def counting() -> Any:
    """Passwords that can be told apart and found again."""
    count = iter(range(10**6))
    return lambda size: f"{next(count):0{2 * size}x}"


def migrated(cr: WhisperTranscriber, plan: PlanSettings = PLAN) -> Observed:
    return Observed(children={("Job", migrate(cr, plan)["metadata"]["name"]): COMPLETE})


def whole(cr: WhisperTranscriber) -> list[Manifest]:
    """The plan of a transcriber whose migration is done."""
    return desired(cr, migrated(cr), PLAN, counting())


def by_name(plan: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(m["kind"], m["metadata"]["name"]): m for m in plan}


def templates(plan: list[Manifest]) -> Iterator[Manifest]:
    return (m["spec"]["template"] for m in plan if "template" in m.get("spec", {}))


def breaches(template: Manifest) -> list[str]:
    """What Pod Security `restricted` has against a pod."""
    spec: Manifest = template["spec"]
    found: list[str] = []
    pod = spec["securityContext"]
    if not (pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0):
        found.append("may run as root")
    if pod.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("no seccomp profile")
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        found.append("host namespaces")
    allowed = {
        "configMap",
        "emptyDir",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "downwardAPI",
        "csi",
        "ephemeral",
    }
    found += [f"volume {v['name']}" for v in spec.get("volumes", ()) if not set(v) - {"name"} <= allowed]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        context = container["securityContext"]
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            found.append("may gain privileges")
        if context["capabilities"].get("drop") != ["ALL"] or context["capabilities"].get("add"):
            found.append("has capabilities")
        if any("hostPort" in port for port in container.get("ports", ())):
            found.append("host port")
    return found
