"""One look at one transcriber: parse → observe → plan → apply → prune → judge → status.

Level-based: no memory is needed. What is remembered (`Applied`) only saves writes; losing it costs a round of no-op
applies.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.conditions import Condition, find
from whisper_operator.api.v1alpha1.transcriber import TranscriberStatus, WhisperTranscriber
from whisper_operator.api.versions import complaint
from whisper_operator.certs import Certified, certify
from whisper_operator.cluster.port import Cluster, Kind, Manifest
from whisper_operator.errors import InvalidSpec, UnsupportedVersion
from whisper_operator.judge import Scene, Verdict, conditions, invalid, silent, stuck, survey, suspects
from whisper_operator.plan import Observed, PlanSettings, desired
from whisper_operator.plan.autoscaling import Queue, Scale
from whisper_operator.reconcile.act import Applied, Guessed, adopt, apply, prune
from whisper_operator.reconcile.events import Budget, Deed, done, record, told
from whisper_operator.reconcile.observe import CHILD_KINDS, OPTIONAL_KINDS, Sight, events_about, observe
from whisper_operator.reconcile.report import facts, measure, rendered, unmeasure, write
from whisper_operator.reconcile.secure import secure
from whisper_operator.settings import Settings

__all__ = ["CHILD_KINDS", "OPTIONAL_KINDS", "TRANSCRIBER", "Applied", "Ask", "Outcome", "reconcile"]

PATIENCE = 6
SOON = 0.8  # of `recheck`, which varies by a tenth; whole seconds are kept
WITNESSES = 3  # pods that are asked at a look: a hundred of them would all say the same
TRANSCRIBER = Kind(names.API_VERSION, names.TRANSCRIBER_KIND)
Ask = Callable[[WhisperTranscriber, Manifest], Awaitable[str]]
"""Asks a pod what keeps it from being ready; "" where it has nothing to say."""


@dataclass(frozen=True)
class Outcome:
    """What the task of a resource does next: look again after `again` seconds, or end.

    `gone`: nothing more to do until somebody rings. `label` is for the metrics.
    """

    label: str = "ok"
    again: float = 0.0
    gone: bool = False


async def reconcile(
    cluster: Cluster,
    namespace: str,
    name: str,
    settings: Settings,
    applied: Applied,
    now: datetime,
    *,
    scale: Scale | None = None,
    queue: Queue | None = None,
    ask: Ask | None = None,
    rung: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Make one transcriber's children what its spec says, and its status what they are.

    `scale`: its scaler's word. `queue`: what waits, if anybody has asked. `rung` says whether the next look comes at
    once: then the first status, that all is on its way, is left to that one.

    Raises: Transient (try again later), Rejected (the status itself was refused).
    """
    body = await cluster.get(TRANSCRIBER, namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        unmeasure(namespace, name)
        return Outcome(gone=True)
    try:
        # One that nobody has looked at has nothing yet, or what an earlier one of its name left behind.
        new = applied.nothing and not (body.get("status") or {}).get("conditions")
        return await _act(cluster, body, settings, applied, now, scale, queue, ask, rung, new=new)
    except Guessed:
        return await _act(cluster, body, settings, applied, now, scale, queue, ask, rung, new=False)


async def _act(
    cluster: Cluster,
    body: Manifest,
    settings: Settings,
    applied: Applied,
    now: datetime,
    scale: Scale | None,
    queue: Queue | None,
    ask: Ask | None,
    rung: Callable[[], bool],
    *,
    new: bool,
) -> Outcome:
    old = TranscriberStatus.model_validate(body.get("status") or {})
    try:
        cr = managed(WhisperTranscriber.parse(body))
        sight = await observe(cluster, cr, new=new)
        certified = certify(cr, sight.secrets, now, sight.children, sight.served)
        if not cr.spec.paused:
            certified, sight = await secure(cluster, cr, certified, sight)
        planned = [*certified.children, *desired(cr, observed(sight, certified, scale), plan_settings(settings))]
    except InvalidSpec as error:
        judged = invalid(old.conditions, error, body["metadata"]["generation"], now)
        await _report(cluster, body, old, judged, {}, (), applied.budget, now, settings.identity)
        return Outcome("invalid", settings.resync)
    if not cr.spec.paused:
        sight = await apply(cluster, cr, planned, sight, applied)
        sight = await adopt(cluster, cr, sight)
        # Without certificates most of the plan is left out: that says nothing about what should go.
        sight = sight if certified.missing else await prune(cluster, cr, planned, sight)
    distrust = next(iter(certified.trouble.values()), None)
    scene = Scene(planned, sight.children, sight.pods, sight.claims, trouble=sight.trouble, certificates=distrust)
    scene = await _heard(cluster, cr, scene, sight, settings, now, ask, late=overdue(settings, old.conditions, now))
    complaints = survey(scene)
    judged = conditions(old.conditions, complaints, cr.metadata.generation, now, paused=cr.spec.paused)
    found = facts(cr, sight, settings.version, scale, queue)
    label = _label(complaints.values())
    if new and label == "waiting" and rung():
        await record(cluster, done(body, sight.deeds, now, settings.identity), applied.budget, now)
    else:
        await _report(cluster, body, old, judged, found, sight.deeds, applied.budget, now, settings.identity)
    again = until(certified.again, settings.resync, now) if label == "ok" else pause(settings, judged, now)
    return Outcome(label, again)


def _label(complaints: Iterable[Verdict | None]) -> str:
    found = [verdict for verdict in complaints if verdict]
    if any(verdict.stalled for verdict in found):
        return "stalled"
    return "waiting" if found else "ok"


async def _heard(
    cluster: Cluster,
    cr: WhisperTranscriber,
    scene: Scene,
    sight: Sight,
    settings: Settings,
    now: datetime,
    ask: Ask | None,
    *,
    late: bool,
) -> Scene:
    """The scene with what Events and the pods themselves say, where something has been missing for a while."""
    quiet = silent(scene.pods, now, SOON * settings.recheck)[:WITNESSES]
    waiting = stuck(scene.pods, now, SOON * settings.recheck)[:WITNESSES]
    asked = {pod["metadata"]["uid"] for pod in (*quiet, *waiting)}
    asked |= set(suspects(scene)) - touched(sight) if late else set()
    events = await events_about(cluster, cr.namespace, sorted(asked)) if asked else ()
    answers = await asyncio.gather(*(ask(cr, pod) for pod in quiet)) if ask else ()
    said = {pod["metadata"]["uid"]: answer for pod, answer in zip(quiet, answers, strict=False)}
    return replace(scene, events=events, answers=said)


def managed(cr: WhisperTranscriber) -> WhisperTranscriber:
    """The transcriber, if its version is one that this operator can run. Raises: UnsupportedVersion.

    The operator's own default is not judged: whoever installed it has chosen that.
    """
    wrong = complaint(cr.spec.version) if cr.spec.version else None
    if wrong is not None:
        raise UnsupportedVersion(wrong)
    return cr


def touched(sight: Sight) -> set[str]:
    """The uids of what this look has made or changed: nobody had time to say anything about it."""
    made = (sight.children.get((deed.kind, deed.name)) for deed in sight.deeds)
    return {child["metadata"]["uid"] for child in made if child}


def overdue(settings: Settings, old: Sequence[Condition], now: datetime) -> bool:
    """Whether what is missing has been missing long enough to read Events for the cause: pods take a moment to come."""
    ready = find(old, "Ready")
    since = ready.last_transition_time if ready and ready.status != "True" else None
    return since is not None and (now - since).total_seconds() >= SOON * settings.recheck


def pause(settings: Settings, judged: Sequence[Condition], now: datetime) -> float:
    """Seconds until the next look at what is not ready: most of what can change rings, so it grows with the wait."""
    ready = find(judged, "Ready")
    since = ready.last_transition_time if ready and ready.last_transition_time else now
    return min(PATIENCE * settings.recheck, max(settings.recheck, (now - since) / timedelta(seconds=PATIENCE)))


def until(due: datetime | None, longest: float, now: datetime) -> float:
    """Seconds until the next look at what is ready."""
    return min(longest, max(1.0, (due - now).total_seconds())) if due else longest


def observed(sight: Sight, certified: Certified, scale: Scale | None) -> Observed:
    """What the plan is made from."""
    return Observed(
        frozenset(sight.secrets),
        sight.children,
        sight.values,
        workers=scale.replicas if scale else None,
        served=sight.served,
        bundle=certified.bundle,
        uncertified=certified.missing,
        incomplete=any(sight.trouble.values()),
    )


def plan_settings(settings: Settings) -> PlanSettings:
    """What the plan needs to know of the operator's settings."""
    return PlanSettings(
        image_registry=settings.image_registry,
        version=settings.version,
        image_pull_policy=settings.image_pull_policy,
        image_pull_secrets=settings.image_pull_secrets,
        namespace=settings.own_namespace,
    )


async def _report(
    cluster: Cluster,
    body: Manifest,
    old: TranscriberStatus,
    judged: Sequence[Condition],
    found: Mapping[str, Any],
    deeds: Sequence[Deed],
    budget: Budget,
    now: datetime,
    reporter: str,
) -> None:
    generation = body["metadata"]["generation"]
    # What an invalid spec says nothing about stays as it was: server-side apply drops what is left out (here: None).
    status = {**(body.get("status") or {}), **found, "observedGeneration": generation, "conditions": rendered(judged)}
    status = {key: value for key, value in status.items() if value is not None}
    written = await write(cluster, body, status)
    measure(body, judged)
    turned = told(body, old.conditions, judged, now, reporter) if written else {}
    await record(cluster, [*done(body, deeds, now, reporter), *filter(None, [turned])], budget, now)
