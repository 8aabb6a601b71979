"""From children to one complaint (or none) for each condition of a WhisperTranscriber."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from whisper_operator.api.names import LABEL_COMPONENT
from whisper_operator.api.names import Component as Part
from whisper_operator.cluster.port import Manifest, name_of
from whisper_operator.judge.scene import Component, Verdict
from whisper_operator.judge.workloads import job, server

TITLES: Mapping[Part, str] = {
    Part.POSTGRES: "PostgreSQL",
    Part.MIGRATE: "The database migration",
    Part.REDIS: "Redis",
    Part.OBJECTS: "The object store",
    Part.WORKER: "The workers",
    Part.API: "The API",
}
CONDITIONS: Mapping[str, Sequence[Part]] = {
    "DatabaseReady": (Part.POSTGRES, Part.MIGRATE),
    "QueueReady": (Part.REDIS,),
    "ObjectsReady": (Part.OBJECTS,),
    "WorkersReady": (Part.WORKER,),
    "ApiReady": (Part.API,),
}
CERTIFICATES = "CertificatesReady"
_STORES = {"DatabaseUnreachable": "DatabaseReady", "ObjectsUnreachable": "ObjectsReady"}
SERVERS = ("Deployment", "StatefulSet")


@dataclass(frozen=True)
class Scene:
    """Everything that is known about one transcriber's children.

    `children` by (kind, name). `trouble` by component: Secrets that are missing, manifests that were refused.
    `certificates`: what is wrong with one of them. `answers`: what pods say keeps them from being ready, by uid.
    """

    planned: Sequence[Manifest]
    children: Mapping[tuple[str, str], Manifest]
    pods: Sequence[Manifest] = ()
    claims: Sequence[Manifest] = ()
    events: Sequence[Manifest] = ()
    trouble: Mapping[str, Sequence[Verdict]] = field(default_factory=dict)
    certificates: Verdict | None = None
    answers: Mapping[str, str] = field(default_factory=dict)

    def component(self, part: Part) -> Component:
        """One component with its workload, pods, claims, events and trouble."""
        kinds = ("Job",) if part is Part.MIGRATE else SERVERS
        planned = next((m for m in self.planned if m["kind"] in kinds and part_of(m) == part), None)
        live = self.children.get((planned["kind"], name_of(planned))) if planned else self._leftover(part, kinds)
        claims = [claim for claim in self.claims if part_of(claim) == part]
        pods = [pod for pod in self.pods if part_of(pod) == part and _belongs(pod, live)]
        trouble = self.trouble.get(part, ())
        return Component(TITLES[part], planned, live, pods, claims, self.events, trouble, self.answers)

    def _leftover(self, part: Part, kinds: Sequence[str]) -> Manifest | None:
        return next((m for (kind, _), m in self.children.items() if kind in kinds and part_of(m) == part), None)


def survey(scene: Scene) -> dict[str, Verdict | None]:
    """For each condition of a component: the first complaint, or None when it is ready."""
    found = {kind: next(filter(None, (_judge(scene, p) for p in parts)), None) for kind, parts in CONDITIONS.items()}
    stores = {reason: found[kind] for reason, kind in _STORES.items()}
    found = {kind: _follows(verdict, stores) if verdict else None for kind, verdict in found.items()}
    return {**found, CERTIFICATES: scene.certificates}


def _follows(verdict: Verdict, stores: Mapping[str, Verdict | None]) -> Verdict:
    """What cannot reach a store that is not ready itself waits for it, and is no fault of its own."""
    cause = stores.get(verdict.reason)
    return verdict if cause in (None, verdict) else Verdict("Progressing", verdict.message)


def part_of(manifest: Mapping[str, Any]) -> str | None:
    """The component label of a child or pod."""
    return (manifest["metadata"].get("labels") or {}).get(LABEL_COMPONENT)


def suspects(scene: Scene) -> list[str]:
    """The uids whose Events are worth reading: workloads that lack pods, claims without a volume."""
    found = [c["metadata"]["uid"] for c in scene.claims if (c.get("status") or {}).get("phase") != "Bound"]
    for part in Part:
        component = scene.component(part)
        if component.live is not None and not component.pods and _complaint(part, component) is not None:
            found.append(component.live["metadata"]["uid"])
    return found


def _judge(scene: Scene, part: Part) -> Verdict | None:
    component = scene.component(part)
    if part in (Part.API, Part.WORKER) and component.planned is None and component.live is None:
        said = f"{TITLES[part]} can start once the database carries this version's schema."
        return next(iter(component.trouble), Verdict("WaitingForMigration", said))
    if part in (Part.API, Part.WORKER) and component.planned is None:
        component = replace(component, planned=component.live)  # it serves until the migration is done
    return _complaint(part, component)


def _complaint(part: Part, component: Component) -> Verdict | None:
    return job(component) if part is Part.MIGRATE else server(component)


def _belongs(pod: Manifest, live: Manifest | None) -> bool:
    """A Job's pods by owner: those of an older migration must not speak for the current one."""
    if live is None or live["kind"] != "Job":
        return True
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == live["metadata"]["uid"] for owner in owners)
