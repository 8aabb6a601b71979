"""A transcriber whose workers a real KEDA scales: from none to several, by real jobs at the real API, and back."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import testbed
from assets import speech
from clips import word_error_rate
from services import keda
from services.kubectl import Api
from services.operator_process import (
    TRANSCRIBER,
    condition,
    connected,
    operator,
    resource,
    until,
    until_ready,
)
from services.running import KEY, Client, Process, Service
from services.secured import Secured, certificates, number
from services.servers import free_port, wait_until
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import DEPLOYMENT, PODS_AUTOSCALER, SCALED_OBJECT, SECRET, Manifest

NAME = "scaled"


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Path]:
    """An API server of this file's own, with KEDA's definitions: other tests want one without them."""
    with testbed.light_control_plane() as kubeconfig:
        keda.define(Api(kubeconfig))
        yield kubeconfig


@pytest.fixture
async def cluster(control_plane: Path) -> AsyncIterator[LiveCluster]:
    """The API server with our CRDs too."""
    async with connected(control_plane) as live:
        yield live


def replicas(found: Manifest | None) -> int:
    """Of the spec: what KEDA sets in the transcriber, and the operator in the workers' Deployment."""
    if found is None:
        return -1
    spec = found["spec"]
    return int(spec["workers"]["replicas"] if found["kind"] == TRANSCRIBER.name else spec["replicas"])


async def until_workers(cluster: LiveCluster, name: str, count: int, seconds: float) -> None:
    """KEDA wants so many, and the operator has asked for them."""
    for kind, of in ((TRANSCRIBER, name), (DEPLOYMENT, f"{name}-worker-blue")):
        await until(cluster, kind, "default", of, lambda found: replicas(found) == count, seconds)


async def test_from_none_to_several_by_jobs_and_back(
    cluster: LiveCluster, control_plane: Path, service: Service, lease: tuple[str, ...], tmp_path: Path
) -> None:
    api, serving = Api(control_plane), await asyncio.to_thread(service.start, "serve")
    client, clip = Client(serving), speech.long(10)
    await keyed(cluster, NAME)
    auto = {"provider": "keda", "min": 0, "max": 3, "targetWaitSeconds": 5, "scaleInAfterSeconds": 5}
    with keda.service(serving.url) as proxy, keda.running(api, tmp_path, proxy) as log:
        async with operator(control_plane, tmp_path, *lease):
            await cluster.apply(resource(TRANSCRIBER, NAME, workers={"autoscaling": auto}))
            await until_ready(cluster, "default", NAME)
            await until(cluster, SCALED_OBJECT, "default", f"{NAME}-worker", understood, 30)
            await until_workers(cluster, NAME, 0, 30)
            await until_ready(cluster, "default", NAME)
            jobs = [await asyncio.to_thread(client.submit, clip.path, prompt=str(number)) for number in range(4)]
            # The first by KEDA, the others by its HorizontalPodAutoscaler, which asks KEDA too.
            await until_workers(cluster, NAME, 3, 60)
            await until_ready(cluster, "default", NAME)
            await asyncio.to_thread(service.start, "work")
            for job in jobs:
                assert (await asyncio.to_thread(client.ended, job["id"]))["status"] == "succeeded"
            heard = await asyncio.to_thread(client.result, jobs[0]["id"], "text")
            assert word_error_rate(clip.text, heard.text) < 0.25
            await until_workers(cluster, NAME, 0, 60)
            await until_ready(cluster, "default", NAME)
            found = await cluster.get(TRANSCRIBER, "default", NAME)
            assert found is not None
            assert found["status"]["workers"]["autoscaling"]["reason"] == "External"
            # It carries our labels, as everything of KEDA's does, and is KEDA's all the same.
            hpa = await cluster.get(PODS_AUTOSCALER, "default", f"keda-hpa-{NAME}-worker")
            assert hpa is not None and hpa["metadata"]["labels"]["whisper-operator.dev/transcriber"] == NAME
            assert KEY not in log.read_text()


async def test_an_api_over_tls_is_asked_and_verified(
    cluster: LiveCluster, control_plane: Path, service: Service, lease: tuple[str, ...], tmp_path: Path
) -> None:
    api, name = Api(control_plane), "sealed"
    await keyed(cluster, name)
    auto = {"provider": "keda", "min": 0, "max": 1, "targetWaitSeconds": 10, "scaleInAfterSeconds": 5}
    async with operator(control_plane, tmp_path, *lease):
        await cluster.apply(resource(TRANSCRIBER, name, tls={"api": {"enabled": True}}, workers={"autoscaling": auto}))
        await until_ready(cluster, "default", name)
        wrong, right = [await pair(cluster, f"{name}-{part}-tls") for part in ("redis", "api")]
        serving = await listening(service, wrong, free_port())
        with keda.service(serving.url) as proxy, keda.running(api, tmp_path, proxy):
            await until(cluster, SCALED_OBJECT, "default", f"{name}-worker", failing, 30)
            serving.kill()
            await listening(service, right, serving.port)
            await until_workers(cluster, name, 0, 60)


async def pair(cluster: LiveCluster, secret: str) -> Path:
    """A folder with the certificate and the key out of a Secret."""
    found = await cluster.get(SECRET, "default", secret)
    assert found is not None
    return certificates({key: b64decode(found["data"][key]).decode() for key in ("tls.crt", "tls.key")})


async def listening(service: Service, folder: Path, port: int) -> Process:
    """The API over TLS, once it shows its certificate."""
    paths = {"WHISPER_TLS_CERT": str(folder / "tls.crt"), "WHISPER_TLS_KEY": str(folder / "tls.key")}
    serving, shown = service.launch("serve", WHISPER_PORT=str(port), **paths), Secured("api", port, folder)

    def told() -> bool:
        try:
            return shown.serial() == number((folder / "tls.crt").read_text())
        except OSError:
            return False

    await asyncio.to_thread(wait_until, told, "the API to listen")
    return serving


async def keyed(cluster: LiveCluster, name: str) -> None:
    """The operator keeps a key that is there: KEDA finds the one that the API knows."""
    data = {"api-key": b64encode(KEY.encode()).decode()}
    await cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta(f"{name}-api-key"), "data": data})


def meta(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "default"}


def failing(scaled: Manifest | None) -> bool:
    """KEDA gets no answer that it believes."""
    health = ((scaled or {}).get("status") or {}).get("health") or {}
    return [trigger["status"] for trigger in health.values()] == ["Failing"]


def understood(scaled: Manifest | None) -> bool:
    """KEDA has taken the ScaledObject; whether it gets answers it does not say here."""
    return condition(scaled, "Ready").get("status") == "True"
