"""`python -m benchmarks.operator`: many transcribers under the operator, beside a bare loop of the same manifests.

Each arm has an API server and etcd of its own, warm, and beside it the same stand-in for controllers and kubelets. Both
do 16 transcribers at the same time. There are no pods, so nothing like kwok is needed.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import fleet
from benchmarks.costs import costs
from services import audit
from services.operator_process import Process, connected, operator, until_answers
from services.transcriber_api import TranscriberApi
from testbed import light_control_plane
from whisper_operator.cluster.live import LiveCluster

WARM = 5
PATIENCE = 3600


@dataclass(frozen=True)
class Run:
    """One run of one arm. Calls are the operator's own but for its Lease; memory in MiB.

    `processor` and `served`: processor seconds of the operator, and of the API server and its etcd.
    """

    seconds: float
    load: float
    served: float
    reads: int = 0
    writes: int = 0
    processor: float = 0.0
    peak: int = 0


async def bare(count: int) -> Run:
    """The bare loop."""
    with light_control_plane() as kubeconfig:
        async with connected(kubeconfig) as cluster, controllers(kubeconfig):
            await fleet.apply_all(cluster, [fleet.children(f"warm-{n}", "default") for n in range(WARM)])
            sets = [fleet.children(f"t{n}", "default") for n in range(count)]
            say(f"bare loop: {len(sets[0])} manifests for each of {count} transcribers")
            load, served = os.getloadavg()[0], fleet.servers(kubeconfig)
            seconds = await fleet.apply_all(cluster, sets)
            return Run(seconds, load, fleet.servers(kubeconfig) - served, writes=sum(map(len, sets)))


async def ours(asked: argparse.Namespace, notes: list[str]) -> Run:
    """The operator: until the last transcriber says Ready; then a look at its rest, then jobs."""
    with light_control_plane() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        async with (
            connected(kubeconfig) as cluster,
            controllers(kubeconfig),
            TranscriberApi().running() as api,
            operator(kubeconfig, Path(folder), "--lease-namespace=default", f"--api-url={api.url}") as process,
        ):
            await until_answers(process, "/metrics", 60, lambda _, text: "whisper_operator_leader 1.0" in text)
            await fleet.apply_all(cluster, [[fleet.transcriber(f"warm-{n}", "default")] for n in range(WARM)])
            await ready(cluster, WARM)
            before, worked = await calls(process), fleet.processor(process.process.pid)
            load, served, start = os.getloadavg()[0], fleet.servers(kubeconfig), time.perf_counter()
            made = fleet.apply_all(cluster, [[fleet.transcriber(f"t{n}", "default")] for n in range(asked.count)])
            await asyncio.gather(made, ready(cluster, WARM + asked.count))
            seconds, served = time.perf_counter() - start, fleet.servers(kubeconfig) - served
            every = await calls(process) - before
            reads, writes = fleet.split(every)
            worked = fleet.processor(process.process.pid) - worked
            notes.append(f"Calls for each transcriber until then: {named(every, asked.count)}.")
            run = Run(seconds, load, served, reads, writes, worked, fleet.memory(process.process.pid)[1])
            say(f"operator: Ready after {seconds:.1f} s")
            notes += await rest(process, kubeconfig, asked.rest)
            if asked.jobs:
                notes += await follow(cluster, process, api, asked.jobs)
            return run


async def rest(process: Process, kubeconfig: Path, seconds: float) -> list[str]:
    """What is written while nothing changes, by the audit log."""
    await until_answers(process, "/metrics", PATIENCE, lambda _, text: "whisper_operator_events_waiting 0.0" in text)
    await asyncio.sleep(5)  # whatever the last change still brings with it
    before, since, worked = await calls(process), datetime.now(UTC), fleet.processor(process.process.pid)
    await asyncio.sleep(seconds)
    every = Counter(f"{write.verb} {write.resource}" for write in audit.writes(kubeconfig) if write.when >= since)
    reads, _ = fleet.split(await calls(process) - before)
    worked = fleet.processor(process.process.pid) - worked
    lease = sum(count for what, count in every.items() if what.endswith("leases"))
    others = {what: count for what, count in every.items() if not what.endswith("leases")}
    now, _ = fleet.memory(process.process.pid)
    return [
        f"At rest for {seconds:.0f} s: {sum(others.values())} writes in the audit log {others or ''}".rstrip()
        + f", {lease} of the Lease; {reads} reads; {worked:.1f} CPU seconds; {now} MiB."
    ]


async def follow(cluster: LiveCluster, process: Process, api: TranscriberApi, count: int) -> list[str]:
    """TranscriptionJobs from the first `apply` to the last Succeeded."""
    before, load, start = await calls(process), os.getloadavg()[0], time.perf_counter()
    made = fleet.apply_all(cluster, [[fleet.job(f"j{n}", "default", f"t{n % WARM}")] for n in range(count)])
    there = fleet.until(
        cluster, fleet.TRANSCRIPTION_JOB, "default", count, fleet.condition("Succeeded", "Queued", "Running")
    )
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(made, there)
        handed = time.perf_counter() - start
        for job in api.jobs.values():
            job.update(status="succeeded", results={"json": f"/v1/jobs/{job['id']}/result?format=json"})
        await fleet.until(cluster, fleet.TRANSCRIPTION_JOB, "default", count, fleet.condition("Succeeded"))
    seconds = time.perf_counter() - start
    reads, writes = fleet.split(await calls(process) - before)
    return [
        f"{count} TranscriptionJobs: made and handed over in {handed:.1f} s, all Succeeded after {seconds:.1f} s; "
        f"{reads / count:.1f} reads and {writes / count:.1f} writes each; "
        f"peak {fleet.memory(process.process.pid)[1]} MiB; load before {load:.1f}."
    ]


async def ready(cluster: LiveCluster, count: int) -> None:
    """Wait until so many transcribers are Ready."""
    async with asyncio.timeout(PATIENCE):
        await fleet.until(cluster, fleet.TRANSCRIBER, "default", count, fleet.condition("Ready"))


async def calls(process: Process) -> Counter[tuple[str, str]]:
    """The operator's calls so far."""
    return fleet.calls((await process.get("/metrics"))[1])


def named(found: Counter[tuple[str, str]], count: int) -> str:
    """How many calls of each sort there were for each of `count`; the children's applies are one sort."""
    sorts: Counter[str] = Counter()
    for (verb, kind), calls in found.items():
        if kind != "Lease":
            child = verb == "apply" or (verb == "create" and kind != "Event")
            sorts["apply and create children" if child else f"{verb} {kind}"] += calls
    return ", ".join(f"{sort} {calls / count:.1f}" for sort, calls in sorts.most_common() if calls / count >= 0.05)


@asynccontextmanager
async def controllers(kubeconfig: Path) -> AsyncIterator[None]:
    """The stand-in, while the block runs."""
    command = [sys.executable, "-m", "benchmarks.controllers", str(kubeconfig)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield
        if process.returncode is not None:
            raise RuntimeError(f"the stand-in ended with {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def table(count: int, before: Run, operated: Run, after: Run) -> list[str]:
    """The arms side by side, in Markdown; the mean of both loops is what counts."""
    mean = (before.seconds + after.seconds) / 2
    lines = [
        "| arm | seconds | against the loop | writes each | reads each "
        "| servers' CPU seconds | its own | peak MiB | load before |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    apply = "bare server-side-apply loop"
    runs = ((f"{apply}, before", before), ("operator, until all are Ready", operated), (f"{apply}, after", after))
    for name, run in runs:
        worked = f"{run.processor:.1f} | {run.peak}" if run.peak else "- | -"
        lines.append(
            f"| {name} | {run.seconds:.1f} | {run.seconds / mean:.2f} | {run.writes / count:.1f} "
            f"| {run.reads / count:.1f} | {run.served:.1f} | {worked} | {run.load:.1f} |"
        )
    return lines


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(text + "\n")


async def main(argv: Sequence[str]) -> None:
    """Both arms, the table, and the notes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="WhisperTranscribers, each with `spec: {}`")
    parser.add_argument("--jobs", type=int, default=0, help="then so many TranscriptionJobs, such as 5000")
    parser.add_argument("--rest", type=float, default=60, help="seconds in which nothing may be written")
    parser.add_argument("--costs", type=int, metavar="CALLS", help="only what one call of each sort costs, of so many")
    asked = parser.parse_args(argv)
    if asked.costs:
        sys.stdout.write("\n".join([*await costs(asked.costs), ""]))
        return
    notes: list[str] = []
    # Around the other arm, for a machine may be slower for a while.
    before = await bare(asked.count)
    operated = await ours(asked, notes)
    after = await bare(asked.count)
    title = f"**{asked.count} transcribers**, {os.cpu_count()} processors"
    sys.stdout.write("\n".join([title, "", *table(asked.count, before, operated, after), "", *notes, ""]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
