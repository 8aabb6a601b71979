"""The transcriber's own processes under load, on a real database and a real object store: what one request pays for
another, what a second worker is worth, and how much memory a worker takes."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import linear_regression, quantiles

import httpx

from assets import speech, weights
from assets.speech import Clip
from benchmarks import material
from benchmarks.encryption import encryption
from benchmarks.memory import Peak, resident
from benchmarks.processors import ALL, on
from services import running
from services.running import KEY, Client, Process, Service
from services.servers import wait_until

Say = Callable[[str], None]
_MIB = 1 << 20


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    model: str
    threads: int
    seconds: float  # how long the long file is
    count: int  # of short requests


def behind(asked: Asked, say: Say) -> list[str]:
    """Clips of 3 s with nothing beside them, and while a long file is transcribed."""
    clips = [clip for clip in speech.sentences() if 2.8 < clip.seconds < 3.2]
    with _service(asked) as (service, client):
        worker = service.start("work", WHISPER_THREADS=str(asked.threads))
        _latencies(client, clips, 5)  # what only the first ones pay
        alone = _latencies(client, clips, asked.count)
        say(f"  alone: {_spread(alone)}")
        job = client.submit(speech.long(asked.seconds).path, language="en")["id"]
        wait_until(lambda: client.job(job)["windows"]["done"] >= 8, "its first windows", 600)
        before = _batches(worker)
        beside = _latencies(client, clips, asked.count)
        after, left = _batches(worker), client.job(job)
        if left["status"] != "running":
            raise RuntimeError("the long file was done before the clips: make it longer")
        say(f"  beside: {_spread(beside)}")
    took = {name: after[name] - before[name] for name in after}
    return [
        "| clips of 3 s | p50 | p95 | longest |",
        "|---|---|---|---|",
        f"| alone | {_spread(alone)} |",
        f"| behind a file of {asked.seconds:.0f} s | {_spread(beside)} |",
        "",
        f"{took['count']:.0f} batches meanwhile, {took['sum'] / took['count']:.2f} s on the average, "
        f"{took['le 2'] / took['count']:.0%} of them within 2 s.",
    ]


def two(asked: Asked, say: Say) -> list[str]:
    """One file on a worker of one thread, and on two of them; each has a processor, as a pod that is limited to one."""
    if len(ALL) < 2:
        raise RuntimeError("two workers of one processor each need two processors")
    clip = speech.long(asked.seconds)
    took, texts = [], []
    with _service(asked) as (service, client):
        for workers, processor in zip((1, 2), sorted(ALL), strict=False):
            with on({processor}):
                service.start("work", WHISPER_THREADS="1")
            client.ended(client.submit(speech.long(20).path, language="en", reuse="false")["id"])
            started = time.monotonic()
            job = client.submit(clip.path, language="en", reuse="false")["id"]
            _ended(client, job)
            took.append(time.monotonic() - started)
            texts.append(client.result(job, "verbose_json").text)
            say(f"  {workers} workers: {took[-1]:.1f} s")
    same = "the same transcript" if texts[0] == texts[1] else "**another transcript**"
    return [
        f"| {asked.seconds:.0f} s of speech | seconds | times as fast |",
        "|---|---|---|",
        f"| one worker of one processor | {took[0]:.1f} | 1.00 |",
        f"| two workers of one processor each | {took[1]:.1f} | {took[0] / took[1]:.2f}, {same} |",
    ]


def memory(asked: Asked, say: Say) -> list[str]:
    """The most memory of a worker that transcribes files of 10 min, and of one that transcribes one of so many hours.

    Of each minute ten seconds are speech: all of the file is decoded and listened to, a sixth goes through the model.
    There are three short ones, one after another: how large a worker's batches become is also a matter of chance.
    """
    lines = ["| audio | windows | worker's peak MiB | decoder's peak MiB | minutes |", "|---|---|---|---|---|"]
    peaks = []
    for seconds, files in ((600.0, 3), (asked.seconds, 1)):
        file = material.sparse(seconds)
        with _service(asked) as (service, client):
            worker = service.start("work", WHISPER_THREADS=str(asked.threads))
            started = time.monotonic()
            with Peak(worker.process.pid) as peak:
                for _ in range(files):
                    job = client.submit(file, language="en", reuse="false")["id"]
                    _ended(client, job)
            done = client.job(job)
            peaks.append(peak.own)
            lines.append(
                f"| {files} x {seconds / 60:.0f} min | {done['windows']['total']} | {peak.own / _MIB:.0f} "
                f"| {peak.children / _MIB:.0f} | {(time.monotonic() - started) / 60:.1f} |"
            )
            say("  " + lines[-1])
    return [*lines, "", f"{(peaks[1] - peaks[0]) / _MIB:+.0f} MiB for the longer one."]


def soak(asked: Asked, say: Say) -> list[str]:
    """Short jobs, four at a time, and the worker's memory after every tenth."""
    clips = [clip for clip in speech.prompts() if 1.0 <= clip.seconds < 2.0]
    seen: list[tuple[int, int]] = []
    with _service(asked) as (service, client):
        worker = service.start("work", WHISPER_THREADS=str(asked.threads))

        def done(count: int) -> None:
            if count % 10 == 0:
                seen.append((count, resident(worker.process.pid)))
                say(f"  {count} jobs: {seen[-1][1] / _MIB:.1f} MiB")

        started = time.monotonic()
        asyncio.run(_many(client.api.url, clips, asked.count, done))
        took, failed = time.monotonic() - started, worker.metric("whisper_errors_total")
    warm = [(count, size) for count, size in seen if count > asked.count // 5]
    slope = linear_regression([count for count, _ in warm], [size / _MIB for _, size in warm]).slope
    marks = ", ".join(f"{size / _MIB:.0f} MiB after {count}" for count, size in (seen[0], warm[0], seen[-1]))
    return [
        f"{asked.count} jobs in {took:.0f} s, {failed:.0f} errors. The worker took {marks}: {1000 * slope:+.1f} MiB "
        f"per 1000 jobs from the second mark on (least squares over {len(warm)} samples).",
    ]


CASES: dict[str, Callable[[Asked, Say], list[str]]] = {
    "behind": behind,
    "two": two,
    "memory": memory,
    "soak": soak,
    "encryption": lambda asked, say: encryption(3, say),
}


@contextmanager
def _service(asked: Asked) -> Iterator[tuple[Service, Client]]:
    """A service with an API and no worker yet, which has one model."""
    folder = {"base": weights.base, "tiny.en": weights.tiny_en}[asked.model]()
    with running.service() as service:
        service.env["WHISPER_MODELS"] = json.dumps([{"name": asked.model, "source": {"path": str(folder)}}])
        service.env["WHISPER_CLAIM_LEASE_SECONDS"] = "30"
        service.env["WHISPER_POLL_SECONDS"] = "3"
        yield service, Client(service.start("serve"))


def _latencies(client: Client, clips: Sequence[Clip], count: int) -> list[float]:
    """Seconds until the answer, of clips that are sent one after another at moments of no pattern."""
    chance = random.Random(0)  # noqa: S311
    found = []
    with client.http as http:
        for number in range(count):
            time.sleep(chance.uniform(0, 1))
            body = clips[number % len(clips)].path.read_bytes()
            started = time.monotonic()
            answer = http.post("/v1/audio/transcriptions", files={"file": body}, data=_FIELDS)
            answer.raise_for_status()
            found.append(time.monotonic() - started)
    return found


async def _many(url: str, clips: Sequence[Clip], count: int, done: Callable[[int], None]) -> None:
    """So many synchronous requests, four at a time; `done` is told how many have been answered."""
    left, answered = iter(range(count)), 0

    async def one_after_another(http: httpx.AsyncClient) -> None:
        nonlocal answered
        for number in left:
            body = clips[number % len(clips)].path.read_bytes()
            answer = await http.post("/v1/audio/transcriptions", files={"file": body}, data=_FIELDS)
            answer.raise_for_status()
            answered += 1
            done(answered)

    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=300) as http:
        await asyncio.gather(*(one_after_another(http) for _ in range(4)))


_FIELDS = {"model": "whisper-1", "language": "en", "response_format": "text"}


def _ended(client: Client, job: str) -> None:
    wait_until(lambda: client.job(job)["status"] != "running" and _over(client, job), "the job", 6 * 3600)


def _over(client: Client, job: str) -> bool:
    status = client.job(job)["status"]
    if status in ("failed", "cancelled"):
        raise RuntimeError(f"the job has {status}: {client.job(job)}")
    return bool(status == "succeeded")


def _spread(seconds: Sequence[float]) -> str:
    cuts = quantiles(seconds, n=20, method="inclusive")
    return f"{cuts[9]:.2f} s | {cuts[18]:.2f} s | {max(seconds):.2f} s"


def _batches(worker: Process) -> dict[str, float]:
    """Of the worker's batches: how many, how long in all, and how many took at most 2 s."""
    name = "whisper_batch_seconds"
    lines = httpx.get(f"{worker.url}/metrics", timeout=5).text.splitlines()
    within = sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f'{name}_bucket{{le="2.0"}}'))
    return {"count": worker.metric(f"{name}_count"), "sum": worker.metric(f"{name}_sum"), "le 2": within}
