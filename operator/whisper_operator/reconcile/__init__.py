"""One look at one transcriber: parse → observe → plan → apply → prune → judge → status.

Level-based: no memory is needed. What is remembered (`Applied`) only saves writes; losing it costs a round of no-op
applies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import Condition
from whisper_operator.api.v1alpha1.transcriber import TranscriberStatus, WhisperTranscriber
from whisper_operator.cluster.port import Cluster, Kind, Manifest
from whisper_operator.errors import InvalidSpec
from whisper_operator.judge import Scene, Verdict, conditions, invalid, survey, suspects
from whisper_operator.plan import Observed, PlanSettings, desired
from whisper_operator.reconcile.act import Applied, adopt, apply, prune
from whisper_operator.reconcile.observe import Sight, events, observe
from whisper_operator.reconcile.report import facts, rendered, tell, write
from whisper_operator.settings import Settings

__all__ = ["TRANSCRIBER", "Applied", "Outcome", "reconcile"]

TRANSCRIBER = Kind(names.API_VERSION, names.TRANSCRIBER_KIND)


@dataclass(frozen=True)
class Outcome:
    """What the task of a resource does next: look again after `again` seconds, or end.

    `gone`: nothing more to do until somebody rings. `label` is for the metrics.
    """

    label: str = "ok"
    again: float = 0.0
    gone: bool = False


async def reconcile(
    cluster: Cluster, namespace: str, name: str, settings: Settings, applied: Applied, now: datetime
) -> Outcome:
    """Make one transcriber's children what its spec says, and its status what they are.

    Raises: Transient (try again later), Rejected (the status itself was refused).
    """
    body = await cluster.get(TRANSCRIBER, namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return Outcome(gone=True)
    old = TranscriberStatus.model_validate(body.get("status") or {})
    try:
        cr = WhisperTranscriber.parse(body)
        sight = await observe(cluster, cr)
        planned = desired(cr, Observed(frozenset(sight.secrets), sight.children, sight.values), plan_settings(settings))
    except InvalidSpec as error:
        judged = invalid(old.conditions, str(error), body["metadata"]["generation"], now)
        await _report(cluster, body, old, judged, {}, now, settings.identity)
        return Outcome("invalid", settings.resync)
    if not cr.spec.paused:
        sight = await apply(cluster, cr, planned, sight, applied)
        sight = await adopt(cluster, cr, sight)
        sight = await prune(cluster, cr, planned, sight)
    complaints = await _survey(cluster, cr, planned, sight)
    judged = conditions(old.conditions, complaints, cr.metadata.generation, now, paused=cr.spec.paused)
    await _report(cluster, body, old, judged, facts(cr, sight.children, settings.version), now, settings.identity)
    return Outcome("waiting", settings.recheck) if any(complaints.values()) else Outcome("ok", settings.resync)


def plan_settings(settings: Settings) -> PlanSettings:
    """What the plan needs to know of the operator's settings."""
    return PlanSettings(
        image_registry=settings.image_registry,
        version=settings.version,
        image_pull_policy=settings.image_pull_policy,
    )


async def _survey(
    cluster: Cluster, cr: WhisperTranscriber, planned: Sequence[Manifest], sight: Sight
) -> dict[str, Verdict | None]:
    scene = Scene(planned, sight.children, sight.pods, sight.claims, trouble=sight.trouble)
    asked = suspects(scene)
    return survey(replace(scene, events=await events(cluster, cr.namespace, asked)) if asked else scene)


async def _report(
    cluster: Cluster,
    body: Manifest,
    old: TranscriberStatus,
    judged: Sequence[Condition],
    found: Mapping[str, Any],
    now: datetime,
    reporter: str,
) -> None:
    generation = body["metadata"]["generation"]
    # What an invalid spec says nothing about stays as it was: server-side apply drops what is left out.
    status = {**(body.get("status") or {}), **found, "observedGeneration": generation, "conditions": rendered(judged)}
    if await write(cluster, body, status):
        await tell(cluster, body, old.conditions, judged, now, reporter)
