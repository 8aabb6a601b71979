"""Jobs by the operator as a real process, against a real API server and a transcriber in memory."""

from __future__ import annotations

from pathlib import Path

from services.operator_process import (
    TRANSCRIPTION_JOB,
    condition,
    exists,
    operator,
    resource,
    until,
)
from services.servers import until as eventually
from services.transcriber_api import TranscriberApi
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import (
    SECRET,
)


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
