"""Watches that ring bells: kopf's for the custom resources, our own for their children, which must miss nothing.

kopf neither decides nor writes: no handler state, no finalizer, no annotation. When it has to list anew, it does not
say what went meanwhile, so a look makes sure of its resource before it writes, and resyncs read it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import kopf

from whisper_operator.api import names
from whisper_operator.cluster.mirror import Key, Mirror
from whisper_operator.cluster.port import POD, PVC, Cluster, Kind, Manifest
from whisper_operator.cluster.view import View
from whisper_operator.errors import Stale
from whisper_operator.handlers.feed import Feed
from whisper_operator.handlers.pump import Pump, Turns
from whisper_operator.handlers.recorder import Recorder
from whisper_operator.handlers.witness import Witness
from whisper_operator.jobs import TRANSCRIPTION_JOB, Keys, abandon, follow
from whisper_operator.reconcile import CHILD_KINDS, OPTIONAL_KINDS, TRANSCRIBER, Applied, Outcome, reconcile
from whisper_operator.scaling import Scaler, poll
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

# A look this much before its time still counts as a resync: their intervals vary by a tenth.
EARLY = 0.85
# Questions to transcribers at the same time: most of them only wait until there is a job.
QUESTIONS = 4096


@dataclass
class Memory:
    """What is known of one resource between its looks. `due`: when (monotonic) what is not watched is read anew."""

    applied: Applied = field(default_factory=Applied)
    due: float = 0.0


class Operator:
    """The bells, the tasks behind them, and what the tasks share."""

    def __init__(self, cluster: Cluster, api: Transcripts, settings: Settings) -> None:
        self._cluster, self._api, self._settings = cluster, api, settings
        self._keys = Keys(cluster)
        self._mirror = Mirror((*CHILD_KINDS, POD, PVC), settings.namespaces, OPTIONAL_KINDS)
        self._feed = Feed(cluster, self._mirror, self._child_changed, self._kind_appeared)
        self._recorder = Recorder(cluster)
        self._memories: dict[tuple[Kind, str, str], Memory] = {}
        self._seen: dict[str, object] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        turns = Turns(settings.concurrency)
        self.transcribers = Pump(names.TRANSCRIBER_KIND, self._reconcile, turns, debounce=settings.debounce)
        # Following thousands of jobs must not keep the transcribers waiting.
        self._scalers: dict[Key, Scaler] = {}
        self.scalers = Pump("Scaler", self._scale, Turns(QUESTIONS), debounce=settings.debounce)
        turns = Turns(settings.concurrency)
        self.jobs = Pump(names.JOB_KIND, self._follow, turns, debounce=settings.debounce)

    async def start(self) -> None:
        """Begin to watch the children, and wait until all that are there are known."""
        self._recorder.start()
        await self._feed.start()

    def transcriber_event(self, kind: str | None, body: Manifest) -> None:
        """A WhisperTranscriber came, changed or went."""
        self._hear(TRANSCRIBER, kind, body)
        if self._news(kind, body):
            self.transcribers.ring(*_key(body))
            self.scalers.ring(*_key(body))

    def job_event(self, kind: str | None, body: Manifest) -> None:
        """A TranscriptionJob came, changed or went."""
        self._hear(TRANSCRIPTION_JOB, kind, body)
        if self._news(kind, body):
            self.jobs.ring(*_key(body))
        if kind == "DELETED":
            task = asyncio.create_task(abandon(self._api, self._keys, body))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        """Stop every task."""
        await asyncio.gather(
            self._feed.close(),
            self.transcribers.close(),
            self.jobs.close(),
            self.scalers.close(),
            self._recorder.close(),
        )
        for task in tuple(self._farewells):
            task.cancel()

    def _child_changed(self, namespace: str, transcriber: str) -> None:
        """Children without their transcriber are the garbage collector's; one that comes rings by itself."""
        if self._mirror.resource(TRANSCRIBER, namespace, transcriber) is not None:
            self.transcribers.ring(namespace, transcriber)

    def _kind_appeared(self) -> None:
        for namespace, name in self._mirror.resources(TRANSCRIBER):
            self.transcribers.ring(namespace, name)

    def _hear(self, of: Kind, kind: str | None, body: Manifest) -> None:
        if kind == "DELETED":
            self._mirror.forget(of, *_key(body), uid=body["metadata"]["uid"])
        else:
            self._mirror.hear(of, body)

    async def _reconcile(self, namespace: str, name: str) -> Outcome:
        def work(view: Cluster, memory: Memory) -> Awaitable[Outcome]:
            scaler = self._scalers.get((namespace, name))
            scale, queue = (scaler.scale, scaler.queue) if scaler else (None, None)
            return reconcile(
                view,
                namespace,
                name,
                self._settings,
                memory.applied,
                datetime.now(UTC),
                scale=scale,
                queue=queue,
                ask=Witness(view, self._api).ask,
                rung=lambda: self.transcribers.rung(namespace, name),
            )

        return await self._look(TRANSCRIBER, namespace, name, work)

    async def _look(
        self, kind: Kind, namespace: str, name: str, work: Callable[[Cluster, Memory], Awaitable[Outcome]]
    ) -> Outcome:
        """One look, at what is remembered while that will do: at the first, each resync, and where something is stuck
        or went wrong, what is not watched is read anew."""
        where = (kind, namespace, name)
        memory = self._memories.setdefault(where, Memory())
        start = time.monotonic()
        fresh = start >= memory.due
        due, memory.due = memory.due, 0.0  # anew next time, should this look fail
        try:
            outcome = await work(self._view(where, fresh=fresh), memory)
        except Stale:
            fresh = True
            outcome = await work(self._view(where, fresh=True), memory)
        patience = outcome.again if outcome.label == "stalled" else self._settings.resync
        memory.due = start + EARLY * patience if fresh else min(due, start + EARLY * patience)
        if outcome.gone:
            self._memories.pop(where, None)
            self._mirror.secrets.pop((namespace, name), None)
        return outcome

    async def _scale(self, namespace: str, name: str) -> Outcome:
        """One question of a scaler; whatever it finds is carried out and told by the next look at the transcriber."""
        key = (namespace, name)
        scaler = self._scalers.setdefault(key, Scaler())
        before, view = (scaler.scale, scaler.queue), self._view((TRANSCRIBER, namespace, name), fresh=False)
        now = datetime.now(UTC)
        outcome = await poll(view, self._api, self._keys, scaler, namespace, name, self._settings, now)
        if outcome.gone:
            self._scalers.pop(key, None)
        if (scaler.scale, scaler.queue) != before:
            self.transcribers.ring(namespace, name)
        return outcome

    def _view(self, where: tuple[Kind, str, str], *, fresh: bool) -> View:
        return View(self._cluster, self._mirror, self._recorder.put, where, fresh=fresh)

    async def _follow(self, namespace: str, name: str) -> Outcome:
        def work(view: Cluster, _: Memory) -> Awaitable[Outcome]:
            return follow(view, self._api, self._keys, namespace, name, self._settings, datetime.now(UTC))

        return await self._look(TRANSCRIPTION_JOB, namespace, name, work)

    def _news(self, kind: str | None, body: Manifest) -> bool:
        """Whether more than the status changed: our own writing must not ring our own bell."""
        meta = body["metadata"]
        if kind == "DELETED":
            self._seen.pop(meta["uid"], None)
            return True
        now = (meta.get("generation"), meta.get("labels"), meta.get("annotations"), meta.get("deletionTimestamp"))
        before = self._seen.get(meta["uid"])
        self._seen[meta["uid"]] = now
        return kind is None or before != now


async def watch(operator: Operator, settings: Settings, stop: asyncio.Event, ready: asyncio.Event) -> None:
    """Watch until `stop` is set or the process is told to end. `ready` is set once the watches start.

    The CRDs must be served already: what is missing now is not watched later.
    """
    await operator.start()
    await kopf.operator(
        registry=registry(operator),
        settings=watching(settings),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=list(settings.namespaces),
        stop_flag=stop,
        ready_flag=ready,
    )


def registry(operator: Operator) -> Any:
    """kopf's registry with our handlers and nothing else."""
    found = kopf.OperatorRegistry()

    async def transcriber(event: Mapping[str, Any], **_: Any) -> None:
        operator.transcriber_event(event["type"], event["object"])

    async def job(event: Mapping[str, Any], **_: Any) -> None:
        operator.job_event(event["type"], event["object"])

    kopf.on.login(registry=found)(login)
    kopf.on.event(names.GROUP, names.VERSION, names.TRANSCRIBER_PLURAL, registry=found)(transcriber)
    kopf.on.event(names.GROUP, names.VERSION, names.JOB_PLURAL, registry=found)(job)
    return found


def login(**context: Any) -> Any:
    """The pod's service account, else KUBECONFIG: the same order as the cluster port's."""
    return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)


def watching(settings: Settings) -> Any:
    """kopf's settings: no Events of its own, no look at CRDs and namespaces (no rights)."""
    found = kopf.OperatorSettings()
    found.posting.enabled = False
    found.scanning.disabled = True
    found.process.ultimate_exiting_timeout = 20
    found.networking.request_timeout = 30
    found.networking.connect_timeout = 5
    found.watching.server_timeout = 300
    found.watching.client_timeout = 330
    found.watching.connect_timeout = 5
    found.watching.chunk_size = 500
    return found


def _key(body: Manifest) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]
