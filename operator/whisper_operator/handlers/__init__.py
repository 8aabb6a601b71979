"""Watches that ring bells. kopf neither decides nor writes: no handler state, no finalizer, no annotation."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import kopf

from whisper_operator.api import names
from whisper_operator.cluster.port import Cluster, Manifest
from whisper_operator.handlers.pump import Key, Pump
from whisper_operator.jobs import Keys, abandon, follow
from whisper_operator.reconcile import Applied, Outcome, reconcile
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

CHILDREN = (
    ("", "v1", "configmaps"),
    ("", "v1", "persistentvolumeclaims"),
    ("", "v1", "pods"),
    ("", "v1", "serviceaccounts"),
    ("", "v1", "services"),
    ("apps", "v1", "deployments"),
    ("apps", "v1", "statefulsets"),
    ("batch", "v1", "jobs"),
    ("policy", "v1", "poddisruptionbudgets"),
)


class Operator:
    """The bells, the tasks behind them, and what the tasks share."""

    def __init__(self, cluster: Cluster, api: Transcripts, settings: Settings) -> None:
        self._cluster, self._api, self._settings = cluster, api, settings
        self._keys = Keys(cluster)
        self._applied: dict[Key, Applied] = {}
        self._seen: dict[str, object] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        turns = asyncio.Semaphore(settings.concurrency)
        self.transcribers = Pump(names.TRANSCRIBER_KIND, self._reconcile, turns, debounce=settings.debounce)
        # Following thousands of jobs must not keep the transcribers waiting.
        turns = asyncio.Semaphore(settings.concurrency)
        self.jobs = Pump(names.JOB_KIND, self._follow, turns, debounce=settings.debounce)

    def transcriber_event(self, kind: str | None, body: Manifest) -> None:
        """A WhisperTranscriber came, changed or went."""
        if self._news(kind, body):
            self.transcribers.ring(*_key(body))

    def job_event(self, kind: str | None, body: Manifest) -> None:
        """A TranscriptionJob came, changed or went."""
        if self._news(kind, body):
            self.jobs.ring(*_key(body))
        if kind == "DELETED":
            task = asyncio.create_task(abandon(self._api, self._keys, body))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    def child_event(self, kind: str | None, body: Manifest) -> None:
        """A labelled child came, changed or went."""
        owner = (body["metadata"].get("labels") or {}).get(names.LABEL_TRANSCRIBER)
        if owner:
            self.transcribers.ring(body["metadata"]["namespace"], owner)

    async def close(self) -> None:
        """Stop every task."""
        await asyncio.gather(self.transcribers.close(), self.jobs.close())
        for task in tuple(self._farewells):
            task.cancel()

    async def _reconcile(self, namespace: str, name: str) -> Outcome:
        applied = self._applied.setdefault((namespace, name), Applied())
        outcome = await reconcile(self._cluster, namespace, name, self._settings, applied, datetime.now(UTC))
        if outcome.gone:
            self._applied.pop((namespace, name), None)
        return outcome

    async def _follow(self, namespace: str, name: str) -> Outcome:
        now = datetime.now(UTC)
        return await follow(self._cluster, self._api, self._keys, namespace, name, self._settings, now)

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

    async def child(event: Mapping[str, Any], **_: Any) -> None:
        operator.child_event(event["type"], event["object"])

    kopf.on.login(registry=found)(login)
    kopf.on.event(names.GROUP, names.VERSION, names.TRANSCRIBER_PLURAL, registry=found)(transcriber)
    kopf.on.event(names.GROUP, names.VERSION, names.JOB_PLURAL, registry=found)(job)
    for resource in CHILDREN:
        kopf.on.event(*resource, registry=found)(child)
    return found


def login(**context: Any) -> Any:
    """The pod's service account, else KUBECONFIG: the same order as the cluster port's."""
    return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)


def watching(settings: Settings) -> Any:
    """kopf's settings: only labelled children, no Events of its own, no look at CRDs and namespaces (no rights)."""
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
    for resource in CHILDREN:
        found.watching.label_selectors[resource] = names.LABEL_TRANSCRIBER
    return found


def _key(body: Manifest) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]
