"""The operator's handlers over a cluster in memory: quiet when nothing changes, and right when memory is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.servers import until
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.cluster.port import CERTIFICATE, CONFIG_MAP, DEPLOYMENT, ISSUER, SERVICE, Kind
from whisper_operator.handlers import Operator
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")


class Scene:
    """A world whose looks go through the handlers' mirror. `tell` is what kopf does."""

    def __init__(self, world: Any, operator: Operator) -> None:
        self.world, self.operator = world, operator
        self.cluster: FakeCluster = world.cluster
        self._told: dict[str, Any] | None = None

    async def tell(self) -> None:
        body = await self.cluster.get(TRANSCRIBER, "ns", "main")
        if body is not None:
            self.operator.transcriber_event("MODIFIED", body)
        elif self._told is not None:
            self.operator.transcriber_event("DELETED", self._told)
        self._told = body

    async def look(self) -> Any:
        """One look after the watches have told everything; what it read and wrote is in the cluster's lists."""
        await asyncio.sleep(0)
        self.cluster.reads.clear()
        self.cluster.writes.clear()
        outcome = await self.operator._reconcile("ns", "main")
        for _ in range(20):  # the watches and the recorder of Events
            await asyncio.sleep(0)
        return outcome

    async def settle(self) -> None:
        await self.tell()
        for _ in range(10):
            self.world.kubelet()
            await self.look()
            await self.tell()
            if not self.cluster.writes:
                return
        raise AssertionError(f"still writing: {self.cluster.writes}")


@asynccontextmanager
async def played(world: Any) -> AsyncIterator[Scene]:
    """The handlers run over this world until the block ends."""
    operator = Operator(world.cluster, Transcripts("http://{name}"), Settings(identity="test", debounce=3600))
    await operator.start()
    yield Scene(world, operator)
    await operator.close()
    await operator._api.__aexit__(None, None, None)


@pytest.fixture
async def scene(world: Any) -> AsyncIterator[Scene]:
    async with played(world) as found:
        yield found


async def test_a_look_at_what_has_not_changed_makes_no_call_at_all(scene: Scene) -> None:
    await scene.settle()
    assert (await scene.look()).label == "ok"
    assert scene.cluster.reads == scene.cluster.writes == []


async def test_a_first_look_reads_the_transcriber_and_nothing_else(scene: Scene) -> None:
    await scene.tell()
    await scene.look()
    assert scene.cluster.reads == [("get", "WhisperTranscriber", "main")]
    assert len(scene.cluster.writes) > 10


async def test_the_first_status_comes_with_the_second_look_where_children_ring_during_the_first(scene: Scene) -> None:
    await scene.tell()
    await scene.look()
    assert ("apply_status", "WhisperTranscriber", "main") not in scene.cluster.writes
    await scene.look()
    assert ("apply_status", "WhisperTranscriber", "main") in scene.cluster.writes
    assert [read for read in scene.cluster.reads if read[1] == "Secret"] == [], "it knows what it has made"


async def test_hand_edits_and_deletions_are_healed_with_nothing_else_written(scene: Scene) -> None:
    await scene.settle()
    scene.cluster.edit(CONFIG_MAP, "ns", "main-config", {"data": {"WHISPER_S3_BUCKET": "wrong"}})
    await scene.cluster.delete(SERVICE, "ns", "main-api")
    await scene.look()
    assert {write[:3] for write in scene.cluster.writes} == {
        ("apply", "ConfigMap", "main-config"),
        ("apply", "Service", "main-api"),
    } | {write for write in scene.cluster.writes if write[1] == "Event"}
    assert scene.cluster["ConfigMap", "main-config"]["data"]["WHISPER_S3_BUCKET"] != "wrong"
    assert [read for read in scene.cluster.reads if read[1] != "WhisperTranscriber"] == []
    await scene.look()
    assert scene.cluster.reads == scene.cluster.writes == []


async def test_while_a_watch_is_broken_children_are_asked_for(scene: Scene) -> None:
    await scene.settle()
    scene.cluster.break_watches()
    await asyncio.sleep(0)
    await scene.cluster.delete(SERVICE, "ns", "main-api")
    await scene.look()
    assert ("list", "Service", "") in scene.cluster.reads
    assert ("Service", "main-api") in scene.cluster


async def test_what_happened_while_a_watch_was_broken_is_noticed_after_it(scene: Scene) -> None:
    await scene.settle()
    scene.cluster.break_watches()
    await asyncio.sleep(0)
    await scene.cluster.delete(SERVICE, "ns", "main-api")
    shelf = scene.operator._mirror.shelf(SERVICE, "ns")
    assert shelf is not None and not shelf.live

    async def again() -> bool:
        return shelf.live

    await until(again, "the watch to begin again", 5)
    await scene.look()
    assert [write for write in scene.cluster.writes if write[0] == "apply"] == [("apply", "Service", "main-api")]


async def test_nothing_is_made_for_a_transcriber_whose_deletion_nobody_told(scene: Scene) -> None:
    await scene.settle()
    await scene.cluster.delete(TRANSCRIBER, "ns", "main")
    await scene.cluster.delete(SERVICE, "ns", "main-api")
    assert (await scene.look()).gone
    assert scene.cluster.writes == []
    assert scene.operator._mirror.resource(TRANSCRIBER, "ns", "main") is None


async def test_an_older_spec_is_not_acted_on(scene: Scene) -> None:
    await scene.settle()
    scene.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"replicas": 3}}})
    await scene.cluster.delete(DEPLOYMENT, "ns", "main-worker-blue")
    await scene.look()  # kopf has told nothing of the edit yet
    assert scene.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"] == 3


async def test_a_look_begins_anew_when_it_hears_of_another_spec(scene: Scene) -> None:
    await scene.settle()
    await scene.cluster.delete(DEPLOYMENT, "ns", "main-worker-blue")
    apply, edited = scene.cluster.apply, False

    async def and_edit(manifest: Any, **options: bool) -> Any:
        nonlocal edited
        if not edited:
            edited = True
            scene.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"workers": {"replicas": 3}}})
            await scene.tell()
        return await apply(manifest, **options)

    scene.cluster.edit(CONFIG_MAP, "ns", "main-config", {"data": {"WHISPER_S3_BUCKET": "wrong"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.cluster, "apply", and_edit)
        await scene.look()
    assert [write for write in scene.cluster.writes if write[2] == "main-worker-blue"] == [
        ("apply", "Deployment", "main-worker-blue")
    ]
    assert scene.cluster["Deployment", "main-worker-blue"]["spec"]["replicas"] == 3


async def test_secrets_are_read_again_at_the_resync_and_after_a_failure(scene: Scene) -> None:
    await scene.settle()
    memory = scene.operator._memories[TRANSCRIBER, "ns", "main"]
    memory.due = 0.0
    await scene.look()
    assert ("get", "Secret", "main-postgres") in scene.cluster.reads
    assert scene.cluster.writes == []
    await scene.look()
    assert scene.cluster.reads == []
    scene.cluster.edit(CONFIG_MAP, "ns", "main-config", {"data": {"A": "b"}})
    scene.cluster.rejects["ConfigMap", "main-config"] = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        await scene.look()
    scene.cluster.rejects.clear()
    await scene.look()
    assert ("get", "Secret", "main-postgres") in scene.cluster.reads


async def test_a_secret_that_is_missing_is_asked_for_at_every_look(scene: Scene) -> None:
    await scene.settle()
    external = {"postgres": {"external": {"secretRef": {"name": "mine", "key": "uri"}}}}
    scene.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": external})
    await scene.tell()
    assert (await scene.look()).label == "stalled"
    await scene.look()
    assert ("get", "Secret", "mine") in scene.cluster.reads


async def test_a_secret_is_read_again_when_cert_manager_has_renewed_its_certificate(world: Any) -> None:
    for kind in (CERTIFICATE, ISSUER):
        world.cluster.appear(kind)
    world.edit(tls={"certManager": {}})
    async with played(world) as scene:
        await scene.tell()
        await scene.look()
        meta = {"name": "main-redis-tls", "namespace": "ns"}
        await scene.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {}})
        asked = ("get", "Secret", "main-redis-tls")
        await scene.look()
        assert asked in scene.cluster.reads
        await scene.look()
        assert asked not in scene.cluster.reads
        scene.cluster.edit(CERTIFICATE, "ns", "main-redis-tls", {"status": {"revision": 2}})
        await scene.look()
        assert asked in scene.cluster.reads


async def test_bells_of_children_ring_only_for_transcribers_that_are_there(scene: Scene) -> None:
    meta = {"name": "x", "namespace": "ns", "labels": {"whisper-operator.dev/transcriber": "main"}}
    await scene.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    await asyncio.sleep(0)
    assert not scene.operator.transcribers._tasks
    await scene.tell()
    assert ("ns", "main") in scene.operator.transcribers._tasks


async def test_paused_writes_nothing_but_the_truth_and_goes_on_afterwards(scene: Scene) -> None:
    await scene.settle()
    scene.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"paused": True}})
    await scene.tell()
    await scene.look()
    assert [write[:2] for write in scene.cluster.writes] == [("apply_status", "WhisperTranscriber")]
    assert scene.world.condition("Reconciling")["reason"] == "Paused"
    assert scene.world.condition("Ready")["status"] == "True"
    scene.cluster.edit(DEPLOYMENT, "ns", "main-api", {"status": {"readyReplicas": 0}})
    await scene.cluster.delete(SERVICE, "ns", "main-api")
    await scene.look()
    assert {write[:2] for write in scene.cluster.writes} == {
        ("apply_status", "WhisperTranscriber"),
        ("create", "Event"),
    }
    assert scene.world.condition("Ready")["status"] == "False"
    assert scene.world.condition("Reconciling")["reason"] == "Paused"
    scene.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"paused": False}})
    await scene.settle()
    assert ("Service", "main-api") in scene.cluster
    assert scene.world.condition("Ready")["status"] == "True"
    assert scene.world.condition("Reconciling")["reason"] == "AsDesired"
