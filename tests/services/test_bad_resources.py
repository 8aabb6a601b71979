"""The matrix of bad custom resources: each is refused by its field, or taken, reported and harmless to what runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import testbed
from services.bad import REFUSED_JOBS, REFUSED_TRANSCRIBERS, REPORTED_JOBS, REPORTED_TRANSCRIBERS, Reported
from services.kubectl import Api
from services.operator_process import (
    TRANSCRIBER,
    TRANSCRIPTION_JOB,
    condition,
    connected,
    operator,
    resource,
    until,
    until_ready,
)
from services.resources import job, transcriber
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import DEPLOYMENT, STATEFUL_SET, Kind


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """An API server of its own: operators of other tests would look after what stays here."""
    with testbed.light_control_plane() as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="module")
async def cluster(server: Path) -> AsyncIterator[LiveCluster]:
    async with connected(server) as live:
        yield live


@pytest.fixture
def api(cluster: LiveCluster, server: Path) -> Api:
    """The same API server by kubectl, in the namespace `default`."""
    return Api(server)


@pytest.mark.parametrize(
    ("bad", "says"),
    [(transcriber(spec, "wrong"), says) for spec, says in REFUSED_TRANSCRIBERS.values()]
    + [(job(spec, "wrong"), says) for spec, says in REFUSED_JOBS.values()],
    ids=[*REFUSED_TRANSCRIBERS, *(f"job: {name}" for name in REFUSED_JOBS)],
)
def test_what_the_api_server_refuses_it_refuses_by_field(api: Api, bad: dict[str, Any], says: str) -> None:
    assert says in api.refusal(bad)


async def test_what_is_taken_is_reported_and_changes_nothing_that_runs(
    cluster: LiveCluster, server: Path, tmp_path: Path
) -> None:
    """Each transcriber runs before it is made wrong; all at once, so that the whole matrix takes seconds."""
    namespace, api = "default", Api(server)
    for name, value in (("half", ""), ("whole", "x")):
        api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"uri": value}})
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clips"}, "data": {"clip.wav": "x"}})
    made = {f"t{n}": row for n, row in enumerate(REPORTED_TRANSCRIBERS.values())}
    jobs = {f"j{n}": row for n, row in enumerate(REPORTED_JOBS.values())}
    async with operator(server, tmp_path):
        await asyncio.gather(*(cluster.apply(resource(TRANSCRIBER, name, namespace)) for name in made))
        await asyncio.gather(*(until_ready(cluster, namespace, name, 60) for name in made))
        before = await workloads(cluster, namespace)
        assert len(before) == 5 * len(made)
        for name, row in made.items():
            api.apply(transcriber(row.spec, name))
        for name, row in jobs.items():
            api.apply(job(row.spec, name))
        told = [(TRANSCRIBER, name, row) for name, row in made.items()]
        told += [(TRANSCRIPTION_JOB, name, row) for name, row in jobs.items()]
        found = await asyncio.gather(*(reported(cluster, namespace, *one) for one in told))
        assert [wrong for wrong in found if wrong] == []
        assert await workloads(cluster, namespace) == before


async def reported(cluster: LiveCluster, namespace: str, kind: Kind, name: str, row: Reported) -> str:
    """What is not as the matrix says; empty if all is."""

    def says(found: Any) -> bool:
        said = condition(found, row.condition)
        current = found is not None and said.get("observedGeneration") == found["metadata"]["generation"]
        return bool(current and said["reason"] == row.reason and row.says in said["message"])

    try:
        await until(cluster, kind, namespace, name, says, 30)
    except AssertionError:
        found = await cluster.get(kind, namespace, name)
        return f"{row.spec}: {row.condition} {row.reason} {row.says!r}, not {(found or {}).get('status')}"
    return ""


async def workloads(cluster: LiveCluster, namespace: str) -> dict[str, int]:
    """The generation of each workload: it counts the changes of what should run."""
    found = [child for kind in (STATEFUL_SET, DEPLOYMENT) for child in await cluster.list(kind, namespace)]
    return {f"{child['kind']} {child['metadata']['name']}": child["metadata"]["generation"] for child in found}
