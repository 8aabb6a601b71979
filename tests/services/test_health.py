"""What Flux and Argo CD think of live objects, in each state that a person meets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from health import Health, health
from services.kubectl import Api
from services.operator_process import (
    TRANSCRIBER,
    TRANSCRIPTION_JOB,
    condition,
    operator,
    resource,
    until,
    until_ready,
)
from services.transcriber_api import TranscriberApi
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import Kind, Manifest

NUMBERS = itertools.count()
HTTP = {"http": {"url": "http://example.test/a.ogg"}}
MISSING = {"external": {"secretRef": {"name": "not-there"}}}
UNSEEN = Health("InProgress", "Progressing", "No operator has looked at this generation yet")


@pytest.fixture
def name() -> str:
    return f"health-{next(NUMBERS)}"


@pytest.fixture
def running(control_plane: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run the operator in a `with` block, with more arguments."""
    lease = (f"--lease-name=health-{next(NUMBERS)}", "--lease-namespace=default")
    return lambda *arguments: operator(control_plane, tmp_path, *lease, *arguments)


async def live(cluster: LiveCluster, kind: Kind, name: str) -> Manifest:
    found = await cluster.get(kind, "default", name)
    assert found is not None
    return found


async def seen(cluster: LiveCluster, kind: Kind, name: str, type: str, reason: str) -> Manifest:
    """The object once the condition has that reason for its newest generation."""

    def holds(found: Manifest | None) -> bool:
        said = condition(found, type)
        generation = (found or {}).get("metadata", {}).get("generation")
        return (said.get("reason"), said.get("observedGeneration")) == (reason, generation)

    await until(cluster, kind, "default", name, holds, 20)
    found = await live(cluster, kind, name)
    generation = found["metadata"]["generation"]
    assert found["status"]["observedGeneration"] == generation
    # Every condition says which generation it judged, and the two of an abnormal state exclude each other.
    assert {c["observedGeneration"] for c in found["status"]["conditions"]} == {generation}
    abnormal = [condition(found, kind)["status"] for kind in ("Reconciling", "Stalled")]
    assert abnormal != ["True", "True"]
    return found


async def test_a_transcribers_way(cluster: LiveCluster, running: Any, control_plane: Path, name: str) -> None:
    await cluster.apply(resource(TRANSCRIBER, name))
    assert health(await live(cluster, TRANSCRIBER, name)) == UNSEEN
    async with running():
        found = await seen(cluster, TRANSCRIBER, name, "Reconciling", "Progressing")
        assert health(found)[:2] == ("InProgress", "Progressing")
        await until_ready(cluster, "default", name)
        assert health(await live(cluster, TRANSCRIBER, name)) == ("Current", "Healthy", "Every component is ready.")

        await cluster.apply(resource(TRANSCRIBER, name, postgres=MISSING))
        found = await seen(cluster, TRANSCRIBER, name, "Stalled", "SecretNotFound")
        assert health(found)[:2] == ("Failed", "Degraded")
        assert "not-there" in health(found).message

        await cluster.apply(resource(TRANSCRIBER, name))
        await until_ready(cluster, "default", name)
        await cluster.apply(resource(TRANSCRIBER, name, paused=True))
        found = await seen(cluster, TRANSCRIBER, name, "Reconciling", "Paused")
        assert health(found)[:2] == ("Current", "Suspended")
        assert "Every component is ready." in health(found).message
    # Nobody looks any more: what was said of the generation before counts no longer.
    await cluster.apply(resource(TRANSCRIBER, name, workers={"replicas": 2}))
    assert health(await live(cluster, TRANSCRIBER, name)) == UNSEEN
    # Nothing collects garbage here, so that it stays as it is while its children are awaited.
    Api(control_plane).do("delete", "whispertranscriber", name, "--cascade=foreground", "--wait=false")
    found = await live(cluster, TRANSCRIBER, name)
    assert health(found)[:2] == ("Terminating", "Progressing")


async def test_a_spec_that_contradicts_itself_is_a_failure(cluster: LiveCluster, running: Any, name: str) -> None:
    """By a mistake that only the operator finds: 10.1.2.3 is no beginning of a /8."""
    network = {"ingress": {"api": [{"ipBlock": {"cidr": "10.1.2.3/8"}}]}}
    await cluster.apply(resource(TRANSCRIBER, name, networkPolicy=network))
    async with running():
        found = await seen(cluster, TRANSCRIBER, name, "Stalled", "InvalidSpec")
        assert health(found)[:2] == ("Failed", "Degraded")


async def test_a_jobs_way(cluster: LiveCluster, running: Any, name: str) -> None:
    job = resource(TRANSCRIPTION_JOB, name, transcriberRef={"name": name}, source=HTTP)
    await cluster.apply(job)
    assert health(await live(cluster, TRANSCRIPTION_JOB, name)) == UNSEEN
    async with TranscriberApi().running() as api:
        async with running("--api-url=http://127.0.0.1:1"):
            found = await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "WaitingForTranscriber")
            assert health(found)[:2] == ("InProgress", "Progressing")
            assert f"WhisperTranscriber {name} does not exist" in health(found).message
        async with running(f"--api-url={api.url}"):
            await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "Queued")
            api.job.update(status="running", progress=50)
            found = await seen(cluster, TRANSCRIPTION_JOB, name, "Reconciling", "Running")
            assert health(found) == ("InProgress", "Progressing", "50 % is transcribed.")
            api.job.update(status="succeeded", progress=100)
            found = await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "Succeeded")
            assert health(found) == ("Current", "Healthy", "The transcript is ready.")
            # What may still be changed of an ended job is seen, too.
            await cluster.apply({**job, "spec": {**job["spec"], "ttlSecondsAfterFinished": 3600}})
            found = await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "Succeeded")
            assert health(found)[:2] == ("Current", "Healthy")


async def test_a_failed_job_is_a_failure_and_a_cancelled_one_is_not(
    cluster: LiveCluster, running: Any, name: str
) -> None:
    async with TranscriberApi().running() as api, running(f"--api-url={api.url}"):
        job = resource(TRANSCRIPTION_JOB, name, transcriberRef={"name": "main"}, source=HTTP)
        await cluster.apply(job)
        await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "Queued")
        await cluster.apply({**job, "spec": {**job["spec"], "cancel": True}})
        found = await seen(cluster, TRANSCRIPTION_JOB, name, "Succeeded", "Cancelled")
        assert health(found) == ("Current", "Healthy", "The job was cancelled.")

        # Cancelled by somebody who asked the API: not what its spec says.
        other = {**job, "metadata": {**job["metadata"], "name": f"{name}-dropped"}}
        api.jobs.clear()
        await cluster.apply(other)
        await seen(cluster, TRANSCRIPTION_JOB, f"{name}-dropped", "Succeeded", "Queued")
        api.job.update(status="cancelled")
        found = await seen(cluster, TRANSCRIPTION_JOB, f"{name}-dropped", "Stalled", "Cancelled")
        assert health(found)[:2] == ("Failed", "Degraded")

        failed = {**job, "metadata": {**job["metadata"], "name": f"{name}-failed"}}
        api.jobs.clear()
        await cluster.apply(failed)
        await seen(cluster, TRANSCRIPTION_JOB, f"{name}-failed", "Succeeded", "Queued")
        api.job.update(status="failed", error={"code": "invalid_audio", "message": "There is no sound in it."})
        found = await seen(cluster, TRANSCRIPTION_JOB, f"{name}-failed", "Stalled", "InvalidAudio")
        assert health(found) == ("Failed", "Degraded", "InvalidAudio: There is no sound in it.")
