"""What is done: apply, create, adopt, prune. Nothing is written that is already so."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.cluster.port import PVC, SECRET, Cluster, Manifest, kind_of, name_of
from whisper_operator.errors import Conflict, Immutable, Rejected, WebhookFailed
from whisper_operator.judge import Verdict, part_of
from whisper_operator.logs import Log
from whisper_operator.reconcile.events import Budget, Deed, logged
from whisper_operator.reconcile.observe import Sight

log = Log(__name__)

# Never here: PersistentVolumeClaim, Secret, StatefulSet. They hold data or the keys to it.
PRUNED = frozenset(
    {"ServiceAccount", "ConfigMap", "Service", "Deployment", "Job", "PodDisruptionBudget", "NetworkPolicy"}
    | {"HorizontalPodAutoscaler", "Ingress", "ServiceMonitor", "PodMonitor", "ScaledObject", "TriggerAuthentication"}
    | {"Certificate", "Issuer"}
)
_CLIENTS = (names.Component.API, names.Component.WORKER)
# Planned with the Deployment that they are for, or not at all.
_WITH = frozenset(
    {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject", "TriggerAuthentication"}
)
_WAYS = frozenset({"Service", "NetworkPolicy", "ConfigMap"})
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS  # names of variables are of a type of their own
VOLATILE = frozenset({"resourceVersion", "managedFields", "generation"})


Refusal = tuple[Manifest, Rejected | WebhookFailed]
"""What the API server would not do for one object now."""


class Guessed(Exception):
    """A transcriber that seemed new has Secrets already: what was planned is planned with the wrong passwords."""


class Applied:
    """What one transcriber's children were when last applied: so that rest means no writes at all. And its Events."""

    def __init__(self) -> None:
        self.budget = Budget()
        self._seen: dict[tuple[str, str], tuple[str, str]] = {}

    @property
    def nothing(self) -> bool:
        """Whether nothing has been applied yet, as far as is remembered."""
        return not self._seen

    def holds(self, manifest: Manifest, live: Manifest | None) -> bool:
        """Whether this very manifest was applied and nobody has touched the object (but its status) since."""
        return live is not None and self._seen.get(_key(manifest)) == (digest(manifest), digest(essence(live)))

    def note(self, manifest: Manifest, live: Manifest) -> None:
        """Remember the object as it came back from applying the manifest."""
        self._seen[_key(manifest)] = (digest(manifest), digest(essence(live)))


async def apply(
    cluster: Cluster, cr: WhisperTranscriber, planned: Sequence[Manifest], sight: Sight, applied: Applied
) -> Sight:
    """Bring every planned child about, in order. Returns what is seen now: the children as they came back, and as
    trouble what the API server refused.

    Raises: Transient, Guessed.
    """
    children = dict(sight.children)
    refused: list[Refusal] = []
    with logged("Applied children", cr.key) as deeds:
        for manifest in planned:
            try:
                if manifest["kind"] == SECRET.name:
                    what = await _create(cluster, cr, manifest, sight)
                else:
                    live, what = await _one(cluster, cr, manifest, sight.children.get(_key(manifest)), applied)
                    if live is not None:
                        children[_key(manifest)] = live
                deeds += [Deed(what, manifest["kind"], name_of(manifest))] if what else []
            except (Rejected, WebhookFailed) as error:
                refused.append((manifest, error))
    return troubled(cr, replace(sight, children=children, deeds=[*sight.deeds, *deeds]), refused)


async def _one(
    cluster: Cluster, cr: WhisperTranscriber, manifest: Manifest, live: Manifest | None, applied: Applied
) -> tuple[Manifest | None, str]:
    """The child now, and what was done to it ("": nothing)."""
    going = live is not None and live["metadata"].get("deletionTimestamp")
    if going or applied.holds(manifest, live):
        return live, ""
    try:
        now = await cluster.apply(manifest, new=live is None)
    except Immutable:
        if manifest["kind"] != "StatefulSet":
            raise
        log.info("Replacing StatefulSet, its pods stay", transcriber=cr.key, name=name_of(manifest))
        # The deletion rings the bell again once the old one is gone.
        await cluster.delete(kind_of(manifest), cr.namespace, name_of(manifest), orphan=True)
        return live, "Replaced"
    applied.note(manifest, now)
    if live is not None and digest(essence(live)) == digest(essence(now)):
        return now, ""
    return now, "Created" if live is None else "Updated"


async def _create(cluster: Cluster, cr: WhisperTranscriber, manifest: Manifest, sight: Sight) -> str:
    """Generated Secrets are created, never applied: two operators must not overwrite each other's passwords."""
    try:
        await cluster.create(manifest)
    except Conflict as error:
        if sight.guessed:
            raise Guessed(name_of(manifest)) from error
        log.info("Kept the Secret that is there", transcriber=cr.key, name=name_of(manifest))
        return ""
    return "Created"


async def adopt(cluster: Cluster, cr: WhisperTranscriber, sight: Sight) -> Sight:
    """Generated Secrets have the transcriber as their owner under deletionPolicy Delete, and only then.

    Volumes need no such care: the StatefulSets' retention policy says the same of them. Returns what is seen now, with
    refusals as trouble. Raises: Transient.
    """
    refused: list[Refusal] = []
    for child in sight.secrets.values():
        owners: list[Manifest] = child["metadata"].get("ownerReferences") or []
        ours = [owner for owner in owners if owner["uid"] == cr.metadata.uid]
        if bool(ours) == (cr.spec.deletion_policy == "Delete"):
            continue
        others = [owner for owner in owners if owner not in ours]
        wanted = [] if ours else [cr.owner()]
        try:
            await cluster.own(kind_of(child), cr.namespace, name_of(child), others + wanted)
        except Rejected as error:
            if error.reason != "NotFound":  # deleted meanwhile: the next look makes a new one
                refused.append((child, error))
        except WebhookFailed as error:
            refused.append((child, error))
    return troubled(cr, sight, refused)


async def prune(cluster: Cluster, cr: WhisperTranscriber, planned: Sequence[Manifest], sight: Sight) -> Sight:
    """Delete the children of ours that are no longer planned.

    Returns what is seen now, with refusals as trouble. Raises: Transient.
    """
    refused: list[Refusal] = []
    deeds = list(sight.deeds)
    for child in doomed(cr, planned, sight.children):
        try:
            await cluster.delete(kind_of(child), cr.namespace, name_of(child), uid=child["metadata"]["uid"])
            log.info("Pruned child", transcriber=cr.key, kind=child["kind"], name=name_of(child))
            deeds.append(Deed("Deleted", child["kind"], name_of(child)))
        except (Rejected, WebhookFailed) as error:
            refused.append((child, error))
    return troubled(cr, replace(sight, deeds=deeds), refused)


def doomed(
    cr: WhisperTranscriber, planned: Sequence[Manifest], children: Mapping[tuple[str, str], Manifest]
) -> list[Manifest]:
    """Which children go: ours by label and by owner, not planned, not holding data, and not at work.

    A component's Deployments, and what scales and protects them, stay while the plan has none for it: they serve until
    the migration is done. The way to a store stays until no pod runs that was made for it. A migration Job stays while
    one of its pods runs.
    """
    kept = {_key(manifest) for manifest in planned}
    replaced = {part_of(manifest) for manifest in planned if manifest["kind"] == "Deployment"}
    rolled = all(part in replaced for part in _CLIENTS) and all(
        _rolled(child) for child in children.values() if child["kind"] == "Deployment"
    )

    def goes(child: Manifest) -> bool:
        owners: Iterable[Mapping[str, Any]] = child["metadata"].get("ownerReferences") or ()
        ours = any(owner["uid"] == cr.metadata.uid for owner in owners)
        if not ours or child["kind"] not in PRUNED or child["metadata"].get("deletionTimestamp"):
            return False
        if child["kind"] in _WITH and part_of(child) in _CLIENTS and part_of(child) not in replaced:
            return False
        if child["kind"] in _WAYS and not rolled:
            return False
        return child["kind"] != "Job" or not (child.get("status") or {}).get("ready")

    return [child for key, child in children.items() if key not in kept and goes(child)]


def _rolled(deployment: Manifest) -> bool:
    """Whether every pod of a Deployment is of its newest template, and ready."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    current = int(status.get("observedGeneration") or 0) >= deployment["metadata"]["generation"]
    counts = (int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "readyReplicas"))
    return current and all(count == wanted for count in counts)


def essence(live: Manifest) -> Manifest:
    """A live object without what changes by itself: status, versions, bookkeeping."""
    meta = {key: value for key, value in live["metadata"].items() if key not in VOLATILE}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": meta}


def digest(value: Any) -> str:
    """A hash of any JSON value."""
    return hashlib.sha256(orjson.dumps(value, option=_SORTED)).hexdigest()


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], name_of(manifest)


def troubled(cr: WhisperTranscriber, sight: Sight, refused: Sequence[Refusal]) -> Sight:
    """The sight with what the API server refused, by component; what belongs to none is told with the API's."""
    trouble = {part: [*verdicts] for part, verdicts in sight.trouble.items()}
    for child, error in refused:
        what = f"{child['kind']} {name_of(child)}"
        reason = _reason(child, error)
        log.warning("API server refused a child", transcriber=cr.key, child=what, reason=reason)
        said = Verdict(reason, f"The API server refused {what}: {error}", stalled=True)
        trouble.setdefault(part_of(child) or names.Component.API, []).append(said)
    return replace(sight, trouble=trouble)


def _reason(manifest: Manifest, error: Rejected | WebhookFailed) -> str:
    """The API server's own word where people know it (Forbidden, QuotaExceeded); its Invalid is no invalid CR.

    A claim is only ever applied to grow, which its StorageClass may forbid.
    """
    if isinstance(error, WebhookFailed):
        return "WebhookFailed"
    if manifest["kind"] == PVC.name and "resize" in str(error):
        return "VolumeCannotGrow"
    return "ChildRejected" if error.reason in ("Invalid", "BadRequest", "ImmutableField") else error.reason
