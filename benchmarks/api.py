"""`python -m benchmarks.api`: what a request to the API costs, and how it bears a crowd and the loss of its servers.

The API, a worker, PostgreSQL, Redis and an S3 server run as processes of this machine, with real weights and speech.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles

import httpx

from assets import speech, weights
from benchmarks.fleet import processor
from benchmarks.memory import Peak, resident
from benchmarks.processors import ALL, on
from services import running
from services.crowd import Answer, Crowd, Record
from services.pulse import Pulse, pulse
from services.running import KEY, Client, Process, Service
from services.servers import Server, answers, free_port, new_postgres, new_redis, new_s3, wait_until
from services.settled import error_rate, settled

_MIB = 1 << 20
_PATIENCE = 3600.0
"""Seconds for the jobs of a crowd to end."""


def overhead(asked: argparse.Namespace) -> list[str]:
    """A job by multipart, beside the same body sent to an application that throws it away; in pairs."""
    lines = [
        "| body | pairs | bare p50 | bare p95 | API p50 | API p95 | API more (median of pairs) | bare CPU | API CPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with running.service() as service, _bare() as (bare, bare_url):
        api = service.start("serve")
        for seconds, pairs in ((3, asked.pairs), (60, asked.pairs // 2), (600, max(2, asked.pairs // 10))):
            clip = speech.long(seconds)
            request = {"files": {"file": clip.path.read_bytes()}, "data": {"language": "en", "reuse": "false"}}
            size = len(httpx.Request("POST", "http://x", **request).read())  # type: ignore[arg-type]
            headers = {"Authorization": f"Bearer {KEY}"}
            with (
                httpx.Client(base_url=bare_url, timeout=60) as to_bare,
                httpx.Client(base_url=api.url, headers=headers, timeout=60) as to_api,
            ):
                arms = {to_bare: bare.pid, to_api: api.process.pid}
                for http in arms:
                    _timed(http, request)  # what only the first one pays
                before = {http: processor(pid) for http, pid in arms.items()}
                took: dict[httpx.Client, list[float]] = {http: [] for http in arms}
                for number in range(pairs):
                    for http in list(arms)[:: 1 if number % 2 else -1]:
                        took[http].append(_timed(http, request))
                cpu = {http: (processor(pid) - before[http]) / pairs for http, pid in arms.items()}
            more = median(ours - theirs for theirs, ours in zip(took[to_bare], took[to_api], strict=True))
            lines.append(
                f"| {_size(size)} | {pairs} | {_ms(took[to_bare])} | {_ms(took[to_api])} | {1000 * more:.1f} ms "
                f"| {1000 * cpu[to_bare]:.1f} ms | {1000 * cpu[to_api]:.1f} ms |"
            )
            _say(lines[-1])
    return lines


def load(asked: argparse.Namespace) -> list[str]:
    """A crowd for so many seconds."""
    with on(_others(asked)), running.service() as service:
        api, worker = _started(service, asked)
        before = resident(api.process.pid)
        with Peak(api.process.pid) as peak, Crowd(api.url, asked.clients, minute=asked.minute) as crowd:
            began, cpu = time.monotonic(), processor(api.process.pid)
            with _beating(api.url) as beat:
                _watch(crowd.record, api, asked.seconds)
            cpu = processor(api.process.pid) - cpu
            took, record = time.monotonic() - began, crowd.record
            seen = Counter((answer.kind, answer.status) for answer in record.answers)
            lines = [
                "| client | " + " | ".join(map(str, _columns(seen))) + " |",
                "|---" * (1 + len(_columns(seen))) + "|",
                *(
                    f"| {kind} | " + " | ".join(str(seen[kind, status]) for status in _columns(seen)) + " |"
                    for kind in sorted({kind for kind, _ in seen})
                ),
                "",
                f"{sum(seen.values())} answers in {took:.0f} s; the API took {cpu / took:.2f} processors.",
                _livez(beat),
            ]
            # What clients have begun goes on, and one worker has a queue to work off: that may take many times as long.
            _say("\n".join(lines))
        problems = settled(Client(api), record, _PATIENCE)
        spoken = worker.metric("whisper_audio_seconds_total")
        return [
            *lines,
            f"{len(record.accepted)} jobs accepted, {_verdict(problems)}; {spoken:.0f} s of audio transcribed; "
            f"word error rate {error_rate(record.heard):.1%}.",
            f"API: {before / _MIB:.0f} MiB before, {peak.own / _MIB:.0f} at its peak, "
            f"{resident(api.process.pid) / _MIB:.0f} after.",
        ]


def kill(asked: argparse.Namespace) -> list[str]:
    """The same crowd, and each server away for a while."""
    postgres, redis, objects = new_postgres(), new_redis(), new_s3()
    away: dict[str, Server] = {"PostgreSQL": postgres.server, "Redis": redis.server, "objects": objects.server}
    lines = [
        "| away | seconds | answers meanwhile | ready after | a job taken after | a text answered after |",
        "|---|---|---|---|---|---|",
    ]
    with on(_others(asked)), running.service(redis, postgres, objects) as service:
        api, _ = _started(service, asked)
        with _beating(api.url) as beat, Crowd(api.url, asked.clients, minute=asked.minute) as crowd:
            _watch(crowd.record, api, asked.away)
            for name, server in away.items():
                server.stop()
                began = time.monotonic()
                _watch(crowd.record, api, asked.away)
                back = time.monotonic()
                server.start()
                meanwhile = Counter(each.status for each in crowd.record.answers if began < each.at < back)
                wait_until(api.ready, f"the API after {name}", 120)
                ready = time.monotonic()
                taken = _first(crowd.record, back, lambda each: each.status in (201, 202))
                answered = _first(crowd.record, back, lambda each: (each.kind, each.status) == ("text", 200))
                lines.append(
                    f"| {name} | {back - began:.0f} | {_counts(meanwhile)} "
                    + "".join(f"| {at - back:.1f} s " if at else "| not yet " for at in (ready, taken, answered))
                    + "|"
                )
                _say(lines[-1])
                _watch(crowd.record, api, asked.away)
        problems = settled(Client(api), crowd.record, _PATIENCE)
        total = Counter(answer.status for answer in crowd.record.answers)
        heard = error_rate(crowd.record.heard)
    told = f"{len(crowd.record.accepted)} jobs accepted, {_verdict(problems)}; word error rate {heard:.1%}."
    return [*lines, "", f"In all: {_counts(total)}. {told}", _livez(beat)]


CASES: dict[str, Callable[[argparse.Namespace], list[str]]] = {"overhead": overhead, "load": load, "kill": kill}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the cases that are asked for and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of: {', '.join(CASES)}")
    parser.add_argument("--pairs", type=int, default=100, help="of overhead: how many of the smallest body")
    parser.add_argument("--clients", type=int, default=200, help="of load and kill")
    parser.add_argument("--seconds", type=float, default=120, help="of load: how long clients begin anew")
    parser.add_argument("--away", type=float, default=10, help="of kill: how long each server is away")
    parser.add_argument("--minute", type=float, default=60, help="of load and kill: seconds of what is a minute long")
    parser.add_argument("--threads", type=int, default=1, help="of the worker")
    apart = "of load and kill: a processor for the API, as a pod has that asks for one; all others share the rest"
    parser.add_argument("--apart", action="store_true", help=apart)
    asked = parser.parse_args(argv)
    if asked.apart and len(ALL) < 2:
        parser.error("--apart needs two processors")
    for case in asked.cases:
        if case not in CASES:
            sys.exit(f"no case {case!r}: there are {', '.join(CASES)}")
        before = os.getloadavg()[0]
        lines = CASES[case](asked)
        title = f"**{case}**: load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        sys.stdout.write("\n".join(["", title, "", *lines, ""]))
        sys.stdout.flush()


@contextmanager
def _bare() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)]) as process:
        try:
            wait_until(lambda: answers(port), "the bare application")
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _others(asked: argparse.Namespace) -> set[int]:
    """The processors of all but the API and who asks for its `/livez`."""
    return ALL - {min(ALL)} if asked.apart else ALL


@contextmanager
def _beating(url: str) -> Iterator[Pulse]:
    with ExitStack() as stack:
        with on(ALL):  # who measures must not wait for a processor behind the crowd
            beat = stack.enter_context(pulse(url))
        yield beat


def _started(service: Service, asked: argparse.Namespace) -> tuple[Process, Process]:
    service.env["WHISPER_MODELS"] = json.dumps([{"name": "tiny.en", "source": {"path": str(weights.tiny_en())}}])
    service.env["WHISPER_CLAIM_LEASE_SECONDS"] = "30"
    service.env["WHISPER_POLL_SECONDS"] = "3"
    with on({min(ALL)} if asked.apart else ALL):
        api = service.start("serve")
    return api, service.start("work", WHISPER_THREADS=str(asked.threads))


def _watch(record: Record, api: Process, seconds: float) -> None:
    """Let so much time go by, and say how it goes."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(10, left))
        memory = resident(api.process.pid) / _MIB
        _say(f"  {_counts(record.statuses())}; API {memory:.0f} MiB; load {os.getloadavg()[0]:.1f}")


def _first(record: Record, moment: float, wanted: Callable[[Answer], bool]) -> float | None:
    """When the first such answer came after a moment; None: not within a minute, for a crowd fills the queue."""

    def found() -> list[float]:
        return [each.at for each in record.answers if each.at > moment and wanted(each)]

    end = time.monotonic() + 60
    wait_until(lambda: bool(found()) or time.monotonic() > end, "an answer after the outage", 120)
    return next(iter(found()), None)


def _timed(http: httpx.Client, request: dict[str, object]) -> float:
    began = time.perf_counter()
    answer = http.post("/v1/jobs", **request)  # type: ignore[arg-type]
    took = time.perf_counter() - began
    if answer.status_code != 201:
        raise RuntimeError(f"{answer.status_code} {answer.text}")
    return took


def _livez(beat: Pulse) -> str:
    cuts = quantiles(beat.seconds, n=100, method="inclusive")
    values = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in (("p50", cuts[49]), ("p99", cuts[98])))
    longest = f"longest {1000 * max(beat.seconds):.0f} ms"
    return f"`/livez`: {values}, {longest}, of {len(beat.seconds)}; {len(beat.failures)} without an answer."


def _ms(seconds: Sequence[float]) -> str:
    cuts = quantiles(seconds, n=20, method="inclusive")
    return f"{1000 * cuts[9]:.1f} ms | {1000 * cuts[18]:.1f} ms"


def _size(size: int) -> str:
    return f"{size / _MIB:.1f} MiB" if size >= _MIB else f"{size / 1024:.0f} KiB"


def _columns(seen: Counter[tuple[str, int]]) -> list[int]:
    return sorted({status for _, status in seen})


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} x {status or 'broken'}" for status, count in sorted(statuses.items())) or "none"


def _verdict(problems: Sequence[str]) -> str:
    for problem in problems:
        _say(f"  {problem}")
    return f"**{len(problems)} problems**" if problems else "each with one result"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
