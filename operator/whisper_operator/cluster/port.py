"""What the operator needs from a cluster: one verb whatever the kind."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Manifest = dict[str, Any]


class Kind(NamedTuple):
    """A kind of resource, as manifests spell it: `Kind("apps/v1", "Deployment")`."""

    api_version: str
    name: str


CONFIG_MAP = Kind("v1", "ConfigMap")
EVENT = Kind("events.k8s.io/v1", "Event")
POD = Kind("v1", "Pod")
PVC = Kind("v1", "PersistentVolumeClaim")
SECRET = Kind("v1", "Secret")
SERVICE = Kind("v1", "Service")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount")
DEPLOYMENT = Kind("apps/v1", "Deployment")
STATEFUL_SET = Kind("apps/v1", "StatefulSet")
JOB = Kind("batch/v1", "Job")
BUDGET = Kind("policy/v1", "PodDisruptionBudget")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")
PODS_AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler")
INGRESS = Kind("networking.k8s.io/v1", "Ingress")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor")
CERTIFICATE = Kind("cert-manager.io/v1", "Certificate")
ISSUER = Kind("cert-manager.io/v1", "Issuer")
SCALED_OBJECT = Kind("keda.sh/v1alpha1", "ScaledObject")
TRIGGER_AUTHENTICATION = Kind("keda.sh/v1alpha1", "TriggerAuthentication")
LEASE = Kind("coordination.k8s.io/v1", "Lease")


class Listed(NamedTuple):
    """All that there was at a version: what is not among the objects is gone."""

    objects: Sequence[Manifest]
    version: int


class Changed(NamedTuple):
    """One object came, changed or (`gone`) went; went also means that it lost the label."""

    object: Manifest
    gone: bool


class Reached(NamedTuple):
    """Every change up to this version has been told."""

    version: int


class Streaming(NamedTuple):
    """Whether changes are told at once from here on. While a stream is taken up again, they may have to wait."""

    open: bool


News = Listed | Changed | Reached | Streaming


class Cluster(Protocol):
    """Every call raises Transient when the API server cannot answer now, Rejected when it refuses for good."""

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows this kind (its CRD is there). Positive answers are remembered."""

    async def apply(self, manifest: Manifest, *, new: bool = False) -> Manifest:
        """Server-side apply, our field manager, forced. The live object comes back. A no-op keeps resourceVersion.

        `new`: as far as is known, it is not there yet, which may be used to make it with less work.
        """

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of the status subresource only. Raises Rejected("NotFound") if the object is gone."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object; raises Conflict if it exists."""

    async def replace(self, manifest: Manifest) -> Manifest:
        """Write a whole object; raises Conflict unless metadata.resourceVersion is the live one."""

    async def amend(self, manifest: Manifest) -> Manifest:
        """Merge into an object; raises Conflict unless metadata.resourceVersion is the live one."""

    async def own(self, kind: Kind, namespace: str, name: str, owners: list[Manifest]) -> None:
        """Set an object's ownerReferences to exactly these; nothing else of it changes."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The object, or None. An absent kind has no objects."""

    async def list(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None, fields: str = ""
    ) -> list[Manifest]:
        """All objects with these labels, each with its apiVersion and kind. An absent kind has none.

        `fields` is a field selector, such as `regarding.name=main`.
        """

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, orphan: bool = False
    ) -> None:
        """Delete in the background (`orphan`: leave the dependents). An absent object is fine; `uid` must match."""

    def watch(self, kind: Kind, namespace: str, label: str) -> AsyncIterator[News]:
        """The objects that carry a label (namespace "": everywhere), then what becomes of them, in order, for ever.

        Begins with Listed; each Streaming says whether changes are told at once from there on. Raises Transient or
        Rejected when it breaks: what follows may have been missed.
        """


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """The kind a manifest says it is."""
    return Kind(manifest["apiVersion"], manifest["kind"])


def name_of(manifest: Mapping[str, Any]) -> str:
    """metadata.name."""
    name: str = manifest["metadata"]["name"]
    return name


def version_of(manifest: Mapping[str, Any]) -> int:
    """metadata.resourceVersion, which Kubernetes lets clients compare as a number (since 1.35, and did before)."""
    return int(manifest["metadata"]["resourceVersion"])
