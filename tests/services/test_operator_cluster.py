"""One contract for both forms of the cluster port: in memory, and the official client against a real API server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fleet
from services.operator_process import connected
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.cluster.port import (
    CONFIG_MAP,
    LEASE,
    SECRET,
    SERVICE,
    Changed,
    Cluster,
    Kind,
    Listed,
    News,
    Reached,
    Streaming,
    name_of,
    version_of,
)
from whisper_operator.errors import Conflict, Rejected
from whisper_operator.reconcile.act import essence

ABSENT = Kind("monitoring.coreos.com/v1", "ServiceMonitor")
NUMBERS = itertools.count()
Manifest = dict[str, Any]


@pytest.fixture(params=["memory", "live"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "memory":
        yield FakeCluster(absent=frozenset({ABSENT.name}))
        return
    kubeconfig: Path = request.getfixturevalue("control_plane")
    async with connected(kubeconfig) as live:
        yield live


@pytest.fixture
def name() -> str:
    """Tests share the namespace `default`, each with objects of its own."""
    return f"contract-{next(NUMBERS)}"


def config_map(name: str, **data: str) -> Manifest:
    meta = {"name": name, "namespace": "default", "labels": {"test": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def test_apply_makes_changes_and_takes_back(cluster: Cluster, name: str) -> None:
    made = await cluster.apply(config_map(name, a="1", b="2"))
    assert made["data"] == {"a": "1", "b": "2"}
    changed = await cluster.apply(config_map(name, a="3"))
    assert changed["data"] == {"a": "3"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]


async def test_apply_of_the_same_is_no_new_version(cluster: Cluster, name: str) -> None:
    first = await cluster.apply(config_map(name, a="1"))
    second = await cluster.apply(config_map(name, a="1"))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_what_is_new_is_held_as_if_it_had_been_applied(cluster: Cluster, name: str) -> None:
    made = await cluster.apply(config_map(name, a="1", b="2"), new=True)
    assert made["data"] == {"a": "1", "b": "2"}
    changed = await cluster.apply(config_map(name, a="1", c="3"))
    assert changed["data"] == {"a": "1", "c": "3"}
    again = await cluster.apply(config_map(name, a="1", c="3"))
    assert again["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]
    holders = [(held["manager"], held["operation"]) for held in again["metadata"].get("managedFields", ())]
    assert holders in ([], [("whisper-operator", "Apply")])


async def test_what_seemed_new_and_is_there_is_applied(cluster: Cluster, name: str) -> None:
    made = await cluster.apply(config_map(name, a="1", b="2"))
    changed = await cluster.apply(config_map(name, a="3"), new=True)
    assert changed["data"] == {"a": "3"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_whole_set_of_children_is_as_if_it_had_been_applied(control_plane: Path, name: str) -> None:
    async with connected(control_plane) as live:
        planned = [child for child in fleet.children(name, "default") if child["kind"] != SECRET.name]
        made = [await live.apply(child, new=True) for child in planned]
        applied = [await live.apply(child) for child in planned]
        again = [await live.apply(child) for child in planned]
    # A new generation would have controllers at work, and could restart pods.
    assert [essence(child) for child in applied] == [essence(child) for child in made]
    assert [child["metadata"].get("generation") for child in applied] == [
        child["metadata"].get("generation") for child in made
    ]
    assert [version_of(child) for child in again] == [version_of(child) for child in applied]


@pytest.mark.parametrize("new", [True, False])
async def test_a_field_that_nobody_knows_is_refused(control_plane: Path, name: str, new: bool) -> None:
    async with connected(control_plane) as live:
        with pytest.raises(Rejected, match="datum"):
            await live.apply({**config_map(name), "datum": {}}, new=new)


async def test_get_and_list_by_label(cluster: Cluster, name: str) -> None:
    assert await cluster.get(CONFIG_MAP, "default", name) is None
    await cluster.apply(config_map(name, a="1"))
    found = await cluster.get(CONFIG_MAP, "default", name)
    assert found is not None and found["data"] == {"a": "1"}
    (listed,) = await cluster.list(CONFIG_MAP, "default", {"test": name})
    assert (listed["kind"], listed["apiVersion"], listed["metadata"]["name"]) == ("ConfigMap", "v1", name)
    assert await cluster.list(CONFIG_MAP, "default", {"test": "nobody"}) == []
    (listed,) = await cluster.list(CONFIG_MAP, "default", fields=f"metadata.name={name}")
    assert listed["metadata"]["name"] == name


async def test_create_refuses_what_exists(cluster: Cluster, name: str) -> None:
    secret = {"apiVersion": "v1", "kind": SECRET.name, "metadata": {"name": name, "namespace": "default"}}
    await cluster.create({**secret, "data": {"a": "MQ=="}})
    with pytest.raises(Conflict):
        await cluster.create({**secret, "data": {"a": "Mg=="}})
    found = await cluster.get(SECRET, "default", name)
    assert found is not None and found["data"] == {"a": "MQ=="}


async def test_owners_change_and_nothing_else(cluster: Cluster, name: str) -> None:
    made = await cluster.create(config_map(name, a="1"))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}
    await cluster.own(CONFIG_MAP, "default", name, [owner])
    found = await cluster.get(CONFIG_MAP, "default", name)
    assert found is not None and found["metadata"]["ownerReferences"] == [owner]
    assert found["data"] == made["data"]
    await cluster.own(CONFIG_MAP, "default", name, [])
    found = await cluster.get(CONFIG_MAP, "default", name)
    assert found is not None and not found["metadata"].get("ownerReferences")


async def test_replace_needs_the_newest_version(cluster: Cluster, name: str) -> None:
    lease = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": {"name": name, "namespace": "default"}}
    made = await cluster.create({**lease, "spec": {"holderIdentity": "a"}})
    taken = await cluster.replace({**made, "spec": {"holderIdentity": "b"}})
    assert taken["spec"]["holderIdentity"] == "b"
    with pytest.raises(Conflict):
        await cluster.replace({**made, "spec": {"holderIdentity": "c"}})


async def test_delete_is_content_with_what_is_gone_and_minds_the_uid(cluster: Cluster, name: str) -> None:
    await cluster.delete(CONFIG_MAP, "default", name)
    await cluster.apply(config_map(name))
    with pytest.raises(Conflict):
        await cluster.delete(CONFIG_MAP, "default", name, uid="somebody-else")
    made = await cluster.get(CONFIG_MAP, "default", name)
    assert made is not None
    await cluster.delete(CONFIG_MAP, "default", name, uid=made["metadata"]["uid"])
    assert await cluster.get(CONFIG_MAP, "default", name) is None


async def test_a_kind_that_nobody_serves_has_no_objects(cluster: Cluster, name: str) -> None:
    assert not await cluster.serves(ABSENT)
    assert await cluster.serves(SERVICE)
    assert await cluster.get(ABSENT, "default", name) is None
    assert await cluster.list(ABSENT, "default") == []


async def test_the_status_of_what_is_gone(cluster: Cluster, name: str) -> None:
    gone = {"apiVersion": "whisper-operator.dev/v1alpha1", "kind": "WhisperTranscriber"}
    with pytest.raises(Rejected) as refused:
        meta = {"name": name, "namespace": "default"}
        await cluster.apply_status({**gone, "metadata": meta, "status": {"observedGeneration": 1}})
    assert refused.value.reason == "NotFound"


async def test_the_status_is_apart_from_the_rest(cluster: Cluster, name: str) -> None:
    meta = {"name": name, "namespace": "default"}
    spec = {"ports": [{"port": 80, "protocol": "TCP"}], "type": "LoadBalancer"}
    made = await cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    status = {"loadBalancer": {"ingress": [{"hostname": "x.test"}]}}
    told = await cluster.apply_status({"apiVersion": "v1", "kind": "Service", "metadata": meta, "status": status})
    assert told["status"]["loadBalancer"]["ingress"][0]["hostname"] == "x.test"
    assert told["spec"]["ports"][0]["port"] == made["spec"]["ports"][0]["port"]
    again = await cluster.apply_status({"apiVersion": "v1", "kind": "Service", "metadata": meta, "status": status})
    assert again["metadata"]["resourceVersion"] == told["metadata"]["resourceVersion"]


@pytest.mark.parametrize("namespace", ["default", ""])
async def test_a_watch_tells_what_there_is_and_then_every_change_in_order(
    cluster: Cluster, name: str, namespace: str
) -> None:
    label = f"watched-{name}"

    def labelled(other: str, **data: str) -> Manifest:
        made = config_map(other, **data)
        return {**made, "metadata": {**made["metadata"], "labels": {label: "yes"}}}

    await cluster.apply(config_map(f"{name}-unlabelled"))
    first = await cluster.apply(labelled(name, a="1"))
    async with asyncio.timeout(20), aclosing(cluster.watch(CONFIG_MAP, namespace, label)) as watch:  # type: ignore[type-var]
        listed = await anext(watch)
        assert isinstance(listed, Listed) and [name_of(found) for found in listed.objects] == [name]
        assert listed.objects[0]["kind"] == "ConfigMap" and listed.version >= version_of(first)
        assert await anext(watch) == Streaming(True)
        second = await cluster.apply(labelled(name, a="2"))
        told = await change(watch)
        assert (told.object["data"], told.gone) == ({"a": "2"}, False)
        assert version_of(told.object) == version_of(second) > version_of(first)
        await cluster.apply(labelled(f"{name}-b"))
        assert name_of((await change(watch)).object) == f"{name}-b"
        # One that loses its label is gone from here, at the version at which it lost it.
        await cluster.apply(config_map(f"{name}-b", a="3"))
        lost = await change(watch)
        assert (name_of(lost.object), lost.gone) == (f"{name}-b", True)
        await cluster.delete(CONFIG_MAP, "default", name)
        went = await change(watch)
        assert (name_of(went.object), went.gone) == (name, True)
        assert version_of(went.object) > version_of(lost.object) > version_of(second)
        # Whatever was told has been reached: an answer that is no newer says nothing new.
        reached = await anext(watch)
        assert isinstance(reached, Reached) and reached.version >= version_of(went.object)


async def change(watch: AsyncIterator[News]) -> Changed:
    async for news in watch:
        if isinstance(news, Changed):
            return news
    raise AssertionError("the watch ended")
