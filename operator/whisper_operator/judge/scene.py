"""What the judge looks at: one component of a service as planned and as it lives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whisper_operator.api.names import LEAST
from whisper_operator.cluster.port import Manifest


@dataclass(frozen=True)
class Verdict:
    """Why something is not ready: a PascalCase reason, a sentence that says what to do.

    `stalled`: waiting alone will not help, a person must act.
    """

    reason: str
    message: str
    stalled: bool = False


@dataclass(frozen=True)
class Component:
    """One workload (Deployment, StatefulSet or Job) with what belongs to it.

    `planned` is None while the plan does not hold it yet, `live` is None while it does not exist. `events` are those
    about the workload, its pods and its claims, any order. `trouble` holds what went wrong before anything could be
    observed: a Secret that is missing, a manifest that the API server refused. `answers`: what pods say keeps them from
    being ready, by uid.
    """

    title: str
    planned: Manifest | None
    live: Manifest | None
    pods: Sequence[Manifest] = ()
    claims: Sequence[Manifest] = ()
    events: Sequence[Manifest] = ()
    trouble: Sequence[Verdict] = field(default=())
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """How many pods are wanted: the plan's word, else (an autoscaler owns the field) the live object's, else 1."""
        for manifest in (self.planned, self.live):
            wanted = (manifest or {}).get("spec", {}).get("replicas")
            if wanted is not None:
                return int(wanted)
        return 1

    @property
    def least(self) -> int:
        """How few ready pods are enough: all, but where an autoscaler may have asked for more a moment ago."""
        annotations = (self.planned or {}).get("metadata", {}).get("annotations") or {}
        return min(self.replicas, int(annotations.get(LEAST, self.replicas)))

    @property
    def status(self) -> Mapping[str, Any]:
        """The live workload's status."""
        status: Mapping[str, Any] = (self.live or {}).get("status") or {}
        return status

    @property
    def ready(self) -> int:
        """How many pods are ready."""
        return int(self.status.get("readyReplicas") or 0)


Check = Callable[[Component], Verdict | None]


def first(checks: Sequence[Check], component: Component) -> Verdict | None:
    """The first complaint of a chain, or None when every check is content."""
    return next((verdict for check in checks if (verdict := check(component))), None)


def newest(events: Sequence[Manifest], uid: str) -> Manifest | None:
    """The latest event about the object with this uid."""
    about = [event for event in events if (event.get("regarding") or {}).get("uid") == uid]
    return max(about, key=_seen, default=None)


def _seen(event: Manifest) -> str:
    """When an event was last seen: RFC 3339, so that text order is time order (to the second)."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return max((str(time) for time in times if time), default="")
