"""The operator as a real process against a real API server without nodes or controllers."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
    until_answers,
    until_ready,
)
from services.servers import until as eventually
from services.transcriber_api import TranscriberApi
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LEASE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Manifest,
)

CHILDREN = (CONFIG_MAP, SECRET, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET, DEPLOYMENT, JOB)
NUMBERS = itertools.count()


@pytest.fixture
async def cluster(control_plane: Path) -> AsyncIterator[LiveCluster]:
    """The API server with the CRDs, by our own client (whose rights are an admin's here)."""
    async with connected(control_plane) as live:
        yield live


@pytest.fixture
def lease() -> tuple[str, ...]:
    return f"--lease-name=lease-{next(NUMBERS)}", "--lease-namespace=default"


@pytest.fixture
async def transcriber(cluster: LiveCluster) -> AsyncIterator[str]:
    """`spec: {}`, by a name of its own."""
    name = f"t{next(NUMBERS)}"
    await cluster.apply(resource(TRANSCRIBER, name))
    yield name
    await cluster.delete(TRANSCRIBER, "default", name)


async def leading(process: Process) -> None:
    await until_answers(process, "/metrics", 30, lambda _, text: "whisper_operator_leader 1.0" in text)


async def versions(cluster: LiveCluster, name: str) -> dict[str, str]:
    """resourceVersion of the transcriber and of each of its children."""
    labels = {"whisper-operator.dev/transcriber": name}
    found = [child for kind in CHILDREN for child in await cluster.list(kind, "default", labels)]
    own = await cluster.get(TRANSCRIBER, "default", name)
    assert own is not None
    return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in (own, *found)}


async def test_an_empty_spec_becomes_all_that_can_be_without_a_kubelet(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease) as process:
        await until(cluster, STATEFUL_SET, "default", f"{transcriber}-objects", exists, 20)
        await until(
            cluster,
            TRANSCRIBER,
            "default",
            transcriber,
            lambda found: condition(found, "Ready").get("reason") == "Progressing",
            10,
        )
        found = {name.split("/", 1)[1] for name in await versions(cluster, transcriber)}
        named = ("api", "worker", "data", "config", "postgres", "redis", "objects", "api-key", "webhooks", "rollout")
        assert {f"{transcriber}-{part}" for part in named} <= found
        await until_ready(cluster, "default", transcriber)
        assert (await process.get("/livez"))[0] == (await process.get("/readyz"))[0] == 200
        text = process.log.read_text()
    for line in text.splitlines():
        assert "message" in json.loads(line)
    secret = await cluster.get(SECRET, "default", f"{transcriber}-postgres")
    assert secret is not None and secret["data"]["password"] not in text


async def test_a_child_deleted_or_edited_by_hand_is_healed_within_five_seconds(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease):
        await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 20)
        before = await cluster.get(SERVICE, "default", f"{transcriber}-api")
        assert before is not None
        await cluster.delete(SERVICE, "default", f"{transcriber}-api")
        took = await until(
            cluster,
            SERVICE,
            "default",
            f"{transcriber}-api",
            lambda found: found is not None and found["metadata"]["uid"] != before["metadata"]["uid"],
            5,
        )
        assert took < 5
        config = await cluster.get(CONFIG_MAP, "default", f"{transcriber}-config")
        assert config is not None
        await cluster.replace({**config, "data": {**config["data"], "WHISPER_S3_BUCKET": "wrong"}})
        await until(
            cluster,
            CONFIG_MAP,
            "default",
            f"{transcriber}-config",
            lambda found: found is not None and found["data"] == config["data"],
            5,
        )


async def test_at_rest_nothing_is_written_but_the_lease(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease, "--resync=1", "--recheck=1") as process:
        await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 20)
        await until_ready(cluster, "default", transcriber)
        looks = await reconciles(process)
        before, calls = await settled(cluster, process, transcriber)
        looks = await reconciles(process)
        await looked_again(process, looks + 3)
        assert await versions(cluster, transcriber) == before
        assert await writes(process) == calls


async def settled(cluster: LiveCluster, process: Process, name: str) -> tuple[dict[str, str], float]:
    """Versions and writes once a whole look has written nothing."""
    while True:
        looks, before, calls = await reconciles(process), await versions(cluster, name), await writes(process)
        await looked_again(process, looks + 1)
        if await versions(cluster, name) == before and await writes(process) == calls:
            return before, calls


async def looked_again(process: Process, looks: float) -> None:
    """Wait until the operator has looked at its resources this often."""
    await until_answers(process, "/metrics", 20, lambda _, text: count(text, "_reconcile_seconds_count") >= looks)


async def reconciles(process: Process) -> float:
    return count((await process.get("/metrics"))[1], "_reconcile_seconds_count")


async def writes(process: Process) -> float:
    """Writing calls so far, but for the Lease."""
    text = (await process.get("/metrics"))[1]
    lines = [line for line in text.splitlines() if "_api_calls_total{" in line and 'kind="Lease"' not in line]
    reads = ('verb="get"', 'verb="list"', 'verb="watch"', 'verb="discover"')
    return sum(float(line.split()[-1]) for line in lines if not any(verb in line for verb in reads))


def count(text: str, metric: str) -> float:
    return sum(float(line.split()[-1]) for line in text.splitlines() if metric + "{" in line)


async def test_an_invalid_spec_changes_nothing_and_says_which_field(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease):
        await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 20)
        named = resource(TRANSCRIBER, transcriber, postgres={"external": {"secretRef": {"name": "not-there"}}})
        await cluster.apply(named)
        await until(
            cluster,
            TRANSCRIBER,
            "default",
            transcriber,
            lambda found: condition(found, "Ready").get("reason") == "SecretNotFound",
            10,
        )
        assert await cluster.get(STATEFUL_SET, "default", f"{transcriber}-postgres") is not None


async def test_no_finalizer_and_no_annotation_is_left_on_a_transcriber(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    name = f"t{next(NUMBERS)}"
    await cluster.apply(resource(TRANSCRIBER, name))
    async with operator(control_plane, tmp_path, *lease):
        await until(cluster, TRANSCRIBER, "default", name, lambda found: bool(condition(found, "Ready")), 20)
        found = await cluster.get(TRANSCRIBER, "default", name)
        assert found is not None
        assert not found["metadata"].get("finalizers") and not found["metadata"].get("annotations")
        await cluster.delete(TRANSCRIBER, "default", name)
        assert await cluster.get(TRANSCRIBER, "default", name) is None


async def test_the_standby_is_ready_and_takes_over_from_a_killed_leader(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease) as first:
        await leading(first)
        async with operator(control_plane, tmp_path, *lease) as second:
            await until_answers(second, "/readyz", 20, lambda status, _: status == 200)
            assert "whisper_operator_leader 0.0" in (await second.get("/metrics"))[1]
            await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 20)
            await first.signal(signal.SIGKILL)
            killed = time.monotonic()
            await cluster.delete(SERVICE, "default", f"{transcriber}-api")
            await until(cluster, SERVICE, "default", f"{transcriber}-api", exists, 15)
            assert time.monotonic() - killed < 15


async def test_sigterm_gives_the_lead_back_at_once(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease) as first:
        await leading(first)
        async with operator(control_plane, tmp_path, *lease) as second:
            await until_answers(second, "/readyz", 20, lambda status, _: status == 200)
            asked = time.monotonic()
            assert await first.signal(signal.SIGTERM) == 0
            await leading(second)
            assert time.monotonic() - asked < 6


async def test_a_leader_whose_lease_is_taken_ends_with_an_error(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    name = lease[0].partition("=")[2]
    async with operator(control_plane, tmp_path, *lease) as process:
        await leading(process)
        thief: Manifest = {
            "holderIdentity": "thief",
            "leaseDurationSeconds": 60,
            "renewTime": "2026-05-01T12:00:00.000000Z",
        }
        await cluster.apply(resource(LEASE, name, **thief))
        async with asyncio.timeout(8):
            assert await process.process.wait() == 1


async def test_a_job_goes_its_way(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    name = f"{transcriber}-clip"
    async with TranscriberApi().running() as api, operator(control_plane, tmp_path, *lease, f"--api-url={api.url}"):
        await until(cluster, SECRET, "default", f"{transcriber}-api-key", exists, 20)
        source = {"http": {"url": "http://example.test/a.ogg"}}
        await cluster.apply(resource(TRANSCRIPTION_JOB, name, transcriberRef={"name": transcriber}, source=source))
        await until_job(cluster, name, "Queued")
        api.job.update(status="running", progress=50, audio_seconds=10.0)
        await until_job(cluster, name, "Running")
        api.job.update(status="succeeded", results={"json": "/v1/jobs/job-1/result?format=json"})
        await until_job(cluster, name, "Succeeded")
        found = await cluster.get(TRANSCRIPTION_JOB, "default", name)
        assert found is not None and found["status"]["progress"] == 100
        await cluster.apply(
            resource(
                TRANSCRIPTION_JOB,
                name,
                transcriberRef={"name": transcriber},
                source=source,
                ttlSecondsAfterFinished=0,
            )
        )
        await until(cluster, TRANSCRIPTION_JOB, "default", name, lambda gone: gone is None, 10)


async def test_deleting_a_job_that_runs_cancels_it(
    cluster: LiveCluster, control_plane: Path, transcriber: str, lease: tuple[str, ...], tmp_path: Path
) -> None:
    name = f"{transcriber}-dropped"
    async with TranscriberApi().running() as api, operator(control_plane, tmp_path, *lease, f"--api-url={api.url}"):
        source = {"http": {"url": "http://example.test/a.ogg"}}
        await cluster.apply(resource(TRANSCRIPTION_JOB, name, transcriberRef={"name": transcriber}, source=source))
        await until_job(cluster, name, "Queued")
        await cluster.delete(TRANSCRIPTION_JOB, "default", name)

        async def cancelled() -> bool:
            return bool(api.job["status"] == "cancelled")

        await eventually(cancelled, "the job to be cancelled", 10)


async def until_job(cluster: LiveCluster, name: str, reason: str) -> None:
    await until(
        cluster,
        TRANSCRIPTION_JOB,
        "default",
        name,
        lambda found: condition(found, "Succeeded").get("reason") == reason,
        20,
    )
