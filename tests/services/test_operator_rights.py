"""The operator with a ServiceAccount's token and the chart's roles, and no right beyond them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.kubectl import Api
from services.operator_process import (
    TRANSCRIBER,
    TRANSCRIPTION_JOB,
    Process,
    condition,
    connected,
    exists,
    operator,
    resource,
    until,
    until_ready,
    with_token,
)
from services.transcriber_api import TranscriberApi
from testbed import binaries, recipes
from testbed.shell import run
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import BUDGET, EVENT, POD, PVC, SECRET, STATEFUL_SET, Kind, Manifest
from whisper_operator.errors import Rejected
from whisper_operator.settings import PREFIX, variables

CHART = Path(__file__).parents[2] / "charts" / "whisper-operator"
NAMESPACE = Kind("v1", "Namespace")
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass")
RIGHTS = frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


@dataclass(frozen=True)
class Installed:
    """The chart's rights in an API server, and what its Deployment would tell the operator."""

    cluster: LiveCluster
    kubeconfig: Path
    namespace: str
    env: dict[str, str]

    def resource(self, kind: Kind, name: str, **spec: Any) -> Manifest:
        return resource(kind, name, self.namespace, **spec)


def rendered(system: str, *values: str) -> list[Manifest]:
    """What `helm install` would make in the namespace `system`."""
    binaries.ensure(recipes.HELM)
    words = [
        part for value in ("crds.install=false", f"fullnameOverride={system}", *values) for part in ("--set", value)
    ]
    text = run(
        [recipes.HELM.program("helm"), "template", "whisper-operator", CHART, "--namespace", system, *words],
        env={**os.environ, "KUBECONFIG": os.devnull},
    )
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def told(manifests: list[Manifest]) -> dict[str, str]:
    """The environment of the chart's operator, but for what the kubelet fills in."""
    (deployment,) = (m for m in manifests if m["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


@pytest.fixture(params=["cluster", "namespaces"])
async def installed(request: pytest.FixtureRequest, control_plane: Path, tmp_path: Path) -> AsyncIterator[Installed]:
    system, served = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("system", "served"))
    manifests = rendered(system, *([f"watch.namespaces={{{served}}}"] if request.param == "namespaces" else []))
    async with connected(control_plane) as live:
        for name in (system, served):
            await live.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "namespace": ""}})
        for manifest in (m for m in manifests if m["kind"] in RIGHTS):
            await live.apply({**manifest, "metadata": {"namespace": "", **manifest["metadata"]}})
        token = Api(control_plane, system).do("create", "token", system).strip()
        env = {**told(manifests), "POD_NAMESPACE": system, "POD_NAME": "operator-0"}
        yield Installed(live, with_token(control_plane, token, tmp_path / "kubeconfig"), served, env)
        await live.delete(TRANSCRIBER, served, "main")


async def allowed(process: Process) -> None:
    """Nothing that the operator asked for was refused: neither its own calls nor its watches."""
    _, metrics = await process.get("/metrics")
    assert "whisper_operator_api_calls_total{" in metrics
    refused = [line for line in metrics.splitlines() if "_api_calls_total{" in line and 'status="403"' in line]
    assert not refused
    assert "orbidden" not in process.log.read_text()


async def test_the_charts_rights_are_enough(installed: Installed, tmp_path: Path) -> None:
    cluster, namespace = installed.cluster, installed.namespace
    scaled = {"autoscaling": {"min": 2, "max": 3}}
    full = {"workers": scaled, "api": {"ingress": {"host": "speech.example.com"}, **scaled}}
    await cluster.apply(installed.resource(TRANSCRIBER, "main", **full))
    async with (
        TranscriberApi().running() as api,
        operator(installed.kubeconfig, tmp_path, f"--api-url={api.url}", **installed.env) as process,
    ):
        await until_ready(cluster, namespace, "main")
        assert await cluster.get(BUDGET, namespace, "main-api") is not None
        # Pruning, and owners of Secrets.
        await cluster.apply(installed.resource(TRANSCRIBER, "main", deletionPolicy="Delete"))
        await until(cluster, BUDGET, namespace, "main-api", lambda found: found is None, 10)
        await until(cluster, SECRET, namespace, "main-postgres", owned, 10)
        await until_ready(cluster, namespace, "main")
        # A job from its start to its expiry.
        source = {"http": {"url": "http://example.test/a.ogg"}}
        job: Manifest = {"transcriberRef": {"name": "main"}, "source": source, "ttlSecondsAfterFinished": 0}
        await cluster.apply(installed.resource(TRANSCRIPTION_JOB, "clip", **job))
        await until(
            cluster,
            TRANSCRIPTION_JOB,
            namespace,
            "clip",
            lambda found: condition(found, "Succeeded").get("reason") == "Queued",
            20,
        )
        api.job.update(status="succeeded", results={"json": "/v1/jobs/job-1/result?format=json"})
        await until(cluster, TRANSCRIPTION_JOB, namespace, "clip", lambda found: found is None, 20)
        events = await cluster.list(EVENT, namespace)
        assert {"main", "clip"} <= {event["regarding"]["name"] for event in events}
        await allowed(process)


def owned(secret: Manifest | None) -> bool:
    return bool(secret and secret["metadata"].get("ownerReferences"))


async def test_the_charts_rights_are_no_more_than_that(installed: Installed) -> None:
    """The token is no admin's: or the test above would prove nothing."""
    live = await LiveCluster.connect(installed.kubeconfig)
    try:
        assert await live.list(POD, installed.namespace) == []
        for kind, namespace in ((SECRET, installed.namespace), (NAMESPACE, "")):
            with pytest.raises(Rejected) as refused:
                await live.list(kind, namespace)
            assert refused.value.reason == "Forbidden"
        if installed.env["WHISPER_OPERATOR_NAMESPACES"]:
            with pytest.raises(Rejected, match="forbidden"):
                await live.list(TRANSCRIBER, "default")
    finally:
        await live.close()


@pytest.mark.parametrize("installed", ["namespaces"], indirect=True)
@pytest.mark.parametrize("expandable", [True, False])
async def test_a_volume_grows_where_its_class_lets_it(installed: Installed, expandable: bool, tmp_path: Path) -> None:
    cluster, namespace = installed.cluster, installed.namespace
    storage_class = f"class-{uuid.uuid4().hex[:8]}"
    meta = {"name": storage_class, "namespace": ""}
    made = {"apiVersion": STORAGE_CLASS.api_version, "kind": STORAGE_CLASS.name, "metadata": meta}
    await cluster.apply({**made, "provisioner": "example.test/none", "allowVolumeExpansion": expandable})

    def redis(size: str) -> Manifest:
        managed = {"storage": size, "storageClassName": storage_class}
        return installed.resource(TRANSCRIBER, "main", redis={"managed": managed})

    await cluster.apply(redis("1Gi"))
    async with operator(installed.kubeconfig, tmp_path, **installed.env) as process:
        await until(cluster, STATEFUL_SET, namespace, "main-redis", exists, 20)
        await bound(cluster, namespace, "main-redis")
        await until_ready(cluster, namespace, "main")
        await cluster.apply(redis("2Gi"))
        if expandable:
            await until(cluster, PVC, namespace, "data-main-redis-0", lambda found: size(found) == "2Gi", 20)
        await until(cluster, STATEFUL_SET, namespace, "main-redis", going, 20)
        await collected(cluster, namespace, "main-redis")
        await until(cluster, STATEFUL_SET, namespace, "main-redis", lambda found: template_size(found) == "2Gi", 20)
        if expandable:
            await until_ready(cluster, namespace, "main")
            await allowed(process)
        else:
            await until(cluster, TRANSCRIBER, namespace, "main", cannot_grow, 20)
            assert size(await cluster.get(PVC, namespace, "data-main-redis-0")) == "1Gi"


async def bound(cluster: LiveCluster, namespace: str, name: str) -> None:
    """Be the StatefulSet's controller and the provisioner: its claim, with a volume."""
    owner = await cluster.get(STATEFUL_SET, namespace, name)
    assert owner is not None
    (template,) = owner["spec"]["volumeClaimTemplates"]
    labels = template["metadata"]["labels"]
    meta = {"name": f"data-{name}-0", "namespace": namespace, "labels": labels}
    kind = {"apiVersion": PVC.api_version, "kind": PVC.name}
    await cluster.create({**kind, "metadata": meta, "spec": {**template["spec"], "volumeName": f"pv-{namespace}"}})
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    await cluster.apply_status({**kind, "metadata": {"name": meta["name"], "namespace": namespace}, "status": status})


def going(found: Manifest | None) -> bool:
    return found is not None and "deletionTimestamp" in found["metadata"]


async def collected(cluster: LiveCluster, namespace: str, name: str) -> None:
    """Be the garbage collector: its dependents are orphans now, and so the object goes."""
    found = await cluster.get(STATEFUL_SET, namespace, name)
    assert found is not None
    assert found["metadata"]["finalizers"] == ["orphan"], "its pod and its claim must outlive it"
    await cluster.replace({**found, "metadata": {**found["metadata"], "finalizers": []}})


def size(claim: Manifest | None) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"]) if claim else ""


def template_size(found: Manifest | None) -> str:
    return size(found["spec"]["volumeClaimTemplates"][0]) if found else ""


def cannot_grow(found: Manifest | None) -> bool:
    said = condition(found, "QueueReady")
    return said.get("reason") == "VolumeCannotGrow" and "must support resize" in said["message"]


@pytest.mark.parametrize("values", [(), ("watch.namespaces={one,two}", "transcriber.images.registry=r.example.com")])
def test_the_operator_reads_every_variable_that_the_chart_sets(values: tuple[str, ...]) -> None:
    own = {name for name in told(rendered("system", *values)) if name.startswith(PREFIX)}
    assert own and own <= variables(), json.dumps(sorted(own - variables()))
