"""The operator as a real process against a real API server without nodes or controllers."""

from __future__ import annotations

import json
from pathlib import Path

from services.operator_process import (
    TRANSCRIBER,
    Process,
    condition,
    exists,
    looks,
    operator,
    resource,
    until,
    until_ready,
)
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
)

CHILDREN = (CONFIG_MAP, SECRET, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET, DEPLOYMENT, JOB)


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
        before, calls = await settled(cluster, process, transcriber)
        await looks(process, 3)
        assert await versions(cluster, transcriber) == before
        assert await writes(process) == calls


async def settled(cluster: LiveCluster, process: Process, name: str) -> tuple[dict[str, str], float]:
    """Versions and writes once a whole look has written nothing."""
    while True:
        before, calls = await versions(cluster, name), await writes(process)
        await looks(process, 1)
        if await versions(cluster, name) == before and await writes(process) == calls:
            return before, calls


async def writes(process: Process) -> float:
    """Writing calls so far, but for the Lease."""
    text = (await process.get("/metrics"))[1]
    lines = [line for line in text.splitlines() if "_api_calls_total{" in line and 'kind="Lease"' not in line]
    reads = ('verb="get"', 'verb="list"', 'verb="watch"', 'verb="discover"')
    return sum(float(line.split()[-1]) for line in lines if not any(verb in line for verb in reads))


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
    name = "unmarked"
    await cluster.apply(resource(TRANSCRIBER, name))
    async with operator(control_plane, tmp_path, *lease):
        await until(cluster, TRANSCRIBER, "default", name, lambda found: bool(condition(found, "Ready")), 20)
        found = await cluster.get(TRANSCRIBER, "default", name)
        assert found is not None
        assert not found["metadata"].get("finalizers") and not found["metadata"].get("annotations")
        await cluster.delete(TRANSCRIBER, "default", name)
        assert await cluster.get(TRANSCRIBER, "default", name) is None
