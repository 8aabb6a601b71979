"""The operator as a process, when things go wrong around it: nothing is lost, undone or made twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services import audit, outage
from services.kubectl import Api
from services.operator_process import (
    TRANSCRIBER,
    Process,
    condition,
    exists,
    looks,
    operator,
    resource,
    until,
    until_answers,
    until_ready,
    with_token,
)
from services.servers import until as eventually
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import CONFIG_MAP, DEPLOYMENT, SERVICE, Kind, Manifest

NAMESPACE = Kind("v1", "Namespace")


@pytest.fixture
async def namespace(cluster: LiveCluster) -> str:
    """One of the test's own, so that the audit log tells its writes from others'."""
    name = f"proof-{uuid.uuid4().hex[:8]}"
    meta = {"name": name, "namespace": ""}
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    return name


@pytest.fixture
def scope(namespace: str) -> tuple[str, ...]:
    """Arguments of an operator that leads by a Lease of its own and serves this namespace only."""
    return f"--namespace={namespace}", f"--lease-namespace={namespace}"


async def test_at_rest_the_audit_log_has_no_write_but_the_leases(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    await cluster.apply(resource(TRANSCRIBER, "main", namespace))
    async with operator(control_plane, tmp_path, *scope, "--resync=1") as process:
        await until_ready(cluster, namespace, "main")
        await looks(process, 2)  # what the last change brings with it
        since = datetime.now(UTC)
        await looks(process, 5)
        found = [w for w in audit.writes(control_plane) if w.namespace == namespace and w.when >= since]
    assert {write.resource for write in found} == {"leases"}


async def test_what_others_own_is_left_alone_and_what_is_ours_is_healed_beside_it(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    await cluster.apply(resource(TRANSCRIBER, "main", namespace))
    async with operator(control_plane, tmp_path, *scope, "--resync=1") as process:
        await until_ready(cluster, namespace, "main")
        mesh = Api(control_plane, namespace)
        sidecar = {"spec": {"containers": [{"name": "mesh", "image": "mesh:1"}]}}
        meta = {"name": "main-api", "annotations": {"mesh": "on"}}
        theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": sidecar}}
        mesh.do("apply", "--server-side", "--field-manager=mesh", "--filename=-", manifest=theirs)
        # An autoscaler drives the transcriber's scale, and the next apply by a person does not mention replicas.
        mesh.do("scale", "whispertranscriber/main", "--replicas=3")
        await until(cluster, DEPLOYMENT, namespace, "main-worker-blue", replicas(3), 10)
        await cluster.apply(resource(TRANSCRIBER, "main", namespace, api={"replicas": 2}))
        await until(cluster, DEPLOYMENT, namespace, "main-api", replicas(2), 10)
        # A hand that edits what is ours.
        mesh.do("scale", "deployment/main-api", "--replicas=7")
        await until(cluster, DEPLOYMENT, namespace, "main-api", replicas(2), 5)
        await until_ready(cluster, namespace, "main")
        before = await cluster.get(DEPLOYMENT, namespace, "main-api")
        await looks(process, 3)
        after = await cluster.get(DEPLOYMENT, namespace, "main-api")
        assert before is not None and after is not None
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert [c["name"] for c in after["spec"]["template"]["spec"]["containers"]] == ["api", "mesh"]
        assert after["metadata"]["annotations"]["mesh"] == "on"
        assert replicas(3)(await cluster.get(DEPLOYMENT, namespace, "main-worker-blue"))


def replicas(count: int) -> Any:
    """For `until`: so many are wanted."""
    return lambda found: found is not None and found["spec"]["replicas"] == count


async def test_what_happened_while_every_watch_was_cut_is_put_right_afterwards(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("main", "doomed"):
        await cluster.apply(resource(TRANSCRIBER, name, namespace))
    async with (
        outage.way(control_plane, tmp_path) as way,
        operator(way.kubeconfig, tmp_path, *scope) as process,
    ):
        await until_ready(cluster, namespace, "main")
        await until(cluster, SERVICE, namespace, "doomed-api", exists, 20)
        way.cut()
        await until_answers(process, "/metrics", 10, lambda _, text: "watch_live{" in text and " 1.0" not in live(text))
        await cluster.delete(SERVICE, namespace, "main-api")
        config = await cluster.get(CONFIG_MAP, namespace, "main-config")
        assert config is not None
        await cluster.replace({**config, "data": {"WHISPER_S3_BUCKET": "wrong"}})
        await cluster.delete(TRANSCRIBER, namespace, "doomed")
        await cluster.delete(SERVICE, namespace, "doomed-api")  # as the garbage collector does
        way.mend()
        await until(cluster, SERVICE, namespace, "main-api", exists, 15)
        await until(cluster, CONFIG_MAP, namespace, "main-config", lambda found: data(found) == config["data"], 15)
        assert process.process.returncode is None
        assert await cluster.get(SERVICE, namespace, "doomed-api") is None


def live(metrics: str) -> str:
    """The lines that say which watches are live."""
    return "\n".join(line for line in metrics.splitlines() if line.startswith("whisper_operator_watch_live{"))


def data(found: Manifest | None) -> Any:
    return (found or {}).get("data")


async def test_an_api_server_that_is_restarted_finds_everything_as_it_was_and_healed(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    """The leader may give up while the API server is away; its pod is started again, and there are two."""
    await cluster.apply(resource(TRANSCRIBER, "main", namespace))
    async with operator(control_plane, tmp_path, *scope):
        await until_ready(cluster, namespace, "main")
        before = await cluster.get(DEPLOYMENT, namespace, "main-api")
        await asyncio.to_thread(outage.restart, control_plane)
        await cluster.delete(SERVICE, namespace, "main-api")
        async with operator(control_plane, tmp_path, *scope):
            await until(cluster, SERVICE, namespace, "main-api", exists, 30)
            await until_ready(cluster, namespace, "main")
    after = await cluster.get(DEPLOYMENT, namespace, "main-api")
    assert before is not None and after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]


async def test_leaders_killed_in_the_middle_of_changes_make_nothing_twice(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    """Twice in the suite, $WHISPER_LEADER_KILLS times where asked: each time three resources come and one changes."""
    kills = int(os.environ.get("WHISPER_LEADER_KILLS", "2"))
    takeovers: list[float] = []
    async with AsyncExitStack() as stack:

        async def another() -> Process:
            return await stack.enter_async_context(operator(control_plane, tmp_path, *scope, "--concurrency=1"))

        standing = [await another(), await another()]
        await leading(standing)
        for round in range(kills):
            for name in (f"t{round}-{n}" for n in range(3)):
                await cluster.apply(resource(TRANSCRIBER, name, namespace))
            await cluster.apply(resource(TRANSCRIBER, "t0-0", namespace, api={"replicas": round + 1}))
            half = f"t{round}-1-config"  # the leader has begun with this one
            await until(cluster, CONFIG_MAP, namespace, half, exists, 30)
            leader = await leading(standing)
            standing.remove(leader)
            await leader.signal(signal.SIGKILL)
            killed = time.monotonic()
            await leading(standing)
            takeovers.append(time.monotonic() - killed)
            standing.append(await another())
        many = [f"t{round}-{n}" for round in range(kills) for n in range(3)]
        for name in many:
            await until_ready(cluster, namespace, name, 60)
            found = await cluster.get(TRANSCRIBER, namespace, name)
            assert condition(found, "Stalled")["status"] == "False"
    made = Counter(
        (write.resource, write.name)
        for write in audit.writes(control_plane)
        if write.namespace == namespace and write.made and write.resource not in ("events", "leases")
    )
    print(f"{kills} takeovers: at most {max(takeovers):.1f} s; {len(made)} objects, each made once")
    assert max(takeovers) < 15
    assert {("secrets", "t0-0-postgres"), ("deployments", f"{many[-1]}-api")} <= set(made)
    # A change may make a new migration Job or budget beside the old one, by another name: nothing twice by its own.
    assert {key: count for key, count in made.items() if count > 1} == {}


async def leading(processes: list[Process], seconds: float = 30) -> Process:
    """The one that leads."""
    leaders: list[Process] = []

    async def found() -> bool:
        leaders[:] = [one for one in processes if "whisper_operator_leader 1.0" in (await one.get("/metrics"))[1]]
        return bool(leaders)

    await eventually(found, "one to lead", seconds)
    return leaders[0]


async def test_it_ends_when_told_although_a_watch_never_begins(
    cluster: LiveCluster, control_plane: Path, namespace: str, scope: tuple[str, ...], tmp_path: Path
) -> None:
    """Its first word on what there is may never come, where a right is missing."""
    rules = [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
        {"apiGroups": ["whisper-operator.dev"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    ]
    api = Api(control_plane, namespace)
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "poor"}}
    api.apply({**rbac, "kind": "Role", "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "poor"}
    subject = {"kind": "ServiceAccount", "name": "poor", "namespace": namespace}
    api.apply({**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]})
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "poor"}})
    token = api.do("create", "token", "poor").strip()
    kubeconfig = with_token(control_plane, token, tmp_path / "kubeconfig")
    async with operator(kubeconfig, tmp_path, *scope) as process:
        await until_answers(process, "/metrics", 20, lambda _, text: 'verb="list"' in text and 'status="403"' in text)
        assert await process.signal(signal.SIGTERM) == 0
        assert "A watch broke" in process.log.read_text()
