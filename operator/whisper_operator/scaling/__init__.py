"""The operator's own scaler: ask the transcriber, decide, mark the idle pods, tell; and count what waits.

What it decides is kept in memory and in the status, never in the spec: that is the user's, and a tool that compares it
with a repository would put it back. A restarted operator goes on from the number of workers that there are.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.conditions import find
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.api.v1alpha1.workers import Autoscaling
from whisper_operator.cluster.port import DEPLOYMENT, POD, Cluster, Manifest, name_of
from whisper_operator.errors import InvalidSpec, Rejected, Transient
from whisper_operator.jobs import Keys, authorities
from whisper_operator.logs import Log
from whisper_operator.metrics import WORKERS_WANTED
from whisper_operator.plan.autoscaling import Queue, Scale
from whisper_operator.reconcile import TRANSCRIBER, Outcome
from whisper_operator.reconcile.events import ON_THE_WAY, Budget, record, scaled
from whisper_operator.scaling.costs import costs
from whisper_operator.scaling.decide import Wish, blind, decide, settled
from whisper_operator.scaling.queue import PATIENCE, Count, counted
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Demand, Refused, Transcripts, Unauthorised, UnknownJob

__all__ = ["Scaler", "poll"]

log = Log(__name__)
# How long the API holds its answer while there is no job at all, in seconds.
HOLD = 20.0
# Where nobody scales, what waits is only counted: so much more seldom.
SELDOM = 4
TARGET = 60  # seconds: the API wants to know one, whoever asks


@dataclass
class Scaler:
    """What is remembered of one transcriber. `scale` and `count` are what has been told; losing all of it costs nothing
    but time."""

    count: Count | None = None
    scale: Scale | None = None
    trail: list[Wish] = field(default_factory=list)
    failures: int = 0
    idle: bool = False
    budget: Budget = field(default_factory=Budget)

    @property
    def queue(self) -> Queue | None:
        """What waits; None: nobody knows yet."""
        return self.count and self.count.queue


async def poll(
    cluster: Cluster,
    api: Transcripts,
    keys: Keys,
    scaler: Scaler,
    namespace: str,
    name: str,
    settings: Settings,
    now: datetime,
) -> Outcome:
    """One question to one transcriber, and what follows from it. Raises: Transient (from Kubernetes)."""
    body = await cluster.get(TRANSCRIBER, namespace, name)
    cr = _parsed(body)
    if body is None or cr is None:
        _forget(namespace, name)
        return Outcome(gone=True)
    rules = cr.spec.workers.autoscaling
    if rules is None or cr.spec.paused:
        scaler.scale, scaler.trail, scaler.idle = None, [], False
        _forget(namespace, name)
        return await _count(cluster, api, keys, scaler, cr, settings, now)
    current = await _current(cluster, cr, scaler)
    if current is None or (scaler.scale is None and _starts(cr)):
        return Outcome("waiting", settings.scale_interval)
    asked, rested = time.monotonic(), scaler.idle
    demand, why = await _ask(cluster, api, keys, cr, rules.target_wait_seconds, HOLD if rested else 0.0)
    took = time.monotonic() - asked
    pods = [pod for pod in await cluster.list(POD, namespace, {names.LABEL_TRANSCRIBER: name}) if _works(pod)]
    found = _scale(scaler, rules, current, demand, why, now)
    scaler.count = counted(scaler.count, demand, scaler.failures, now)
    if demand is not None and len(pods) > 1:
        await _mark(cluster, pods, demand, exact=found is not None and found.replicas < current)
    if found is not None and cr.spec.workers.scaled is not None:
        await _tell(cluster, body, scaler, settled(scaler.scale, found, now), current, settings, now)
    scaler.idle = demand is not None and not demand.queued + demand.running and current == rules.min
    again = settings.scale_interval
    if scaler.idle:  # asked once more at once: the API holds that answer back until there is something to do
        again = max(0.1, again - took) if rested else 0.1
    return Outcome("ok" if demand else "waiting", again)


async def _count(
    cluster: Cluster,
    api: Transcripts,
    keys: Keys,
    scaler: Scaler,
    cr: WhisperTranscriber,
    settings: Settings,
    now: datetime,
) -> Outcome:
    """Only what waits; ever more seldom where nobody answers."""
    pause = SELDOM * settings.scale_interval
    answers = find(cr.status.conditions, "ApiReady") if cr.status else None
    if answers is None or answers.status != "True":
        return Outcome("waiting", pause)
    demand, _ = await _ask(cluster, api, keys, cr, TARGET, 0.0)
    scaler.failures = 0 if demand else scaler.failures + 1
    scaler.count = counted(scaler.count, demand, scaler.failures, now)
    return Outcome("ok" if demand else "waiting", min(settings.resync, pause * 2.0 ** min(scaler.failures, 10)))


def _scale(
    scaler: Scaler, rules: Autoscaling, current: int, demand: Demand | None, why: str, now: datetime
) -> Scale | None:
    """The scale now; None while a failure may still be a passing one."""
    if demand is not None:
        scaler.failures = 0
        found, scaler.trail = decide(rules, current, demand, scaler.trail, now)
        return found
    scaler.failures += 1
    found, scaler.trail = blind(rules, current, scaler.trail, why, now)
    return found if scaler.failures >= PATIENCE else None


async def _ask(
    cluster: Cluster, api: Transcripts, keys: Keys, cr: WhisperTranscriber, target: int, wait: float
) -> tuple[Demand | None, str]:
    """The demand, or why it is not known."""
    try:
        key = await keys.get(cr.namespace, cr.name)
        way = api.way(cr.namespace, cr.name, await authorities(cluster, cr.namespace, cr.name))
        return await api.demand(way, key, target, wait), ""
    except Unauthorised as error:
        keys.forget(cr.namespace, cr.name)
        return None, str(error)
    except (Transient, Refused, UnknownJob) as error:
        return None, str(error)


def _starts(cr: WhisperTranscriber) -> bool:
    """Whether the API is on its way, with nothing wrong: that it does not answer yet is no news."""
    answers = find(cr.status.conditions, "ApiReady") if cr.status else None
    return answers is None or (answers.status != "True" and answers.reason in ON_THE_WAY)


async def _current(cluster: Cluster, cr: WhisperTranscriber, scaler: Scaler) -> int | None:
    """How many workers are asked for now; None while there is no Deployment yet."""
    if scaler.scale is not None and cr.spec.workers.scaled is not None:
        return scaler.scale.replicas
    for child in await cluster.list(DEPLOYMENT, cr.namespace, {names.LABEL_TRANSCRIBER: cr.name}):
        if name_of(child) == names.worker(cr.name):
            return int(child["spec"].get("replicas", 1))
    return None


async def _mark(cluster: Cluster, pods: list[Manifest], demand: Demand, *, exact: bool) -> None:
    for change in costs(pods, demand.busy, exact=exact):
        try:
            await cluster.apply(change)
        except Rejected as error:  # gone meanwhile; or Kubernetes will choose by itself
            log.warning("Could not mark a pod", pod=name_of(change), error=str(error))


async def _tell(
    cluster: Cluster, body: Manifest, scaler: Scaler, scale: Scale, current: int, settings: Settings, now: datetime
) -> None:
    before, scaler.scale = scaler.scale, scale
    meta = body["metadata"]
    WORKERS_WANTED.labels(meta["namespace"], meta["name"]).set(scale.replicas)
    lost = scale.reason == "MetricUnavailable" and (before is None or before.reason != scale.reason)
    if scale.replicas != current or lost:
        about = {"transcriber": f"{meta['namespace']}/{meta['name']}", "replicas": scale.replicas, "before": current}
        log.info("Scaled workers", **about, reason=scale.reason)
        event = scaled(body, current, scale, now, settings.identity)
        await record(cluster, [event], scaler.budget, now)


def _parsed(body: Manifest | None) -> WhisperTranscriber | None:
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    try:
        return WhisperTranscriber.parse(body)
    except InvalidSpec:
        return None


def _works(pod: Manifest) -> bool:
    return (pod["metadata"].get("labels") or {}).get(names.LABEL_COMPONENT) == Component.WORKER


def _forget(namespace: str, name: str) -> None:
    with suppress(KeyError):
        WORKERS_WANTED.remove(namespace, name)
