"""The transcriber's own processes, as a pod would run them, against real servers."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from openai import OpenAI

from assets import weights
from services.servers import Postgres, RedisServer, S3Server, free_port, postgres, redis, s3, wait_until

KEY = "key-of-the-tests"
PATIENCE = 240.0
# Trusts nobody, for services without TLS: by default each client reads all authorities, which takes longer than what it
# then asks, and tests ask many times a second.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Process:
    """One command of `whisper-transcriber`, its log in a file."""

    command: str
    env: dict[str, str]
    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it says so; an error with its log if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command} ended with {self.process.returncode}:\n{self.log.read_text()}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def alive(self) -> bool:
        """Whether it answers at all, ready or not."""
        try:
            return httpx.get(f"{self.url}/livez", timeout=5, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = httpx.get(f"{self.url}/metrics", timeout=5, verify=PLAIN).text.splitlines()
        found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=60)


@dataclass
class Service:
    """A database, a bucket, and the processes started on them."""

    env: dict[str, str]
    folder: Path
    processes: list[Process] = field(default_factory=list)

    def start(self, command: str, **env: str) -> Process:
        """Start `serve` or `work` and wait until it is ready."""
        started = self.launch(command, **env)
        wait_until(started.ready, f"{command} to be ready", PATIENCE)
        return started

    def launch(self, command: str, **env: str) -> Process:
        """Start `serve` or `work`, at a free port unless WHISPER_PORT is given."""
        port = int(env.get("WHISPER_PORT") or free_port())
        full = {**os.environ, **self.env, "WHISPER_HOST": "127.0.0.1", "WHISPER_PORT": str(port), **env}
        log = self.folder / f"{command}-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", "whisper_transcriber", command], env=full, stderr=out)
        made = Process(command, full, port, log, process)
        self.processes.append(made)
        return made

    def run(self, *command: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        full = {**os.environ, **self.env, **env}
        program = [sys.executable, "-m", "whisper_transcriber", *command]
        return subprocess.run(program, env=full, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def stop(self) -> None:
        """Stop what still runs."""
        for process in self.processes:
            if process.process.poll() is None:
                process.kill()


@dataclass(frozen=True)
class Client:
    """The API as tests use it: raw, and through the unmodified openai client."""

    api: Process

    @property
    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.Client(base_url=self.api.url, headers=headers, timeout=PATIENCE, verify=PLAIN)

    @property
    def openai(self) -> OpenAI:
        return OpenAI(base_url=f"{self.api.url}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE)

    def left(self) -> float:
        """How many clients have gone without an answer."""
        lines = httpx.get(f"{self.api.url}/metrics", timeout=5, verify=PLAIN).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if "requests_total{" in line and '"499"' in line)

    def submit(self, file: Path, key: str | None = None, **fields: str) -> dict[str, Any]:
        """A job by multipart."""
        headers = {"Idempotency-Key": key} if key else {}
        with file.open("rb") as audio, self.http as http:
            return _ok(http.post("/v1/jobs", files={"file": audio}, data=fields, headers=headers))

    def job(self, id_: str) -> dict[str, Any]:
        """A job as it stands."""
        with self.http as http:
            return _ok(http.get(f"/v1/jobs/{id_}"))

    def ended(self, id_: str) -> dict[str, Any]:
        """A job once it has ended."""
        wait_until(lambda: self.job(id_)["status"] in ("succeeded", "failed", "cancelled"), f"job {id_}", PATIENCE)
        return self.job(id_)

    def result(self, id_: str, form: str = "json") -> httpx.Response:
        """A job's result."""
        with self.http as http:
            return http.get(f"/v1/jobs/{id_}/result", params={"format": form})


@contextmanager
def service(
    redis_server: RedisServer | None = None, database: Postgres | None = None, objects: S3Server | None = None
) -> Iterator[Service]:
    """A service of its own: an empty database and bucket, migrated; short leases, so that tests need not wait."""
    store = objects or s3()
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        env = {
            "WHISPER_DATABASE_URL": asyncio.run((database or postgres()).fresh()),
            "WHISPER_REDIS_URL": (redis_server or redis()).url,
            "WHISPER_S3_ENDPOINT": store.endpoint,
            "WHISPER_S3_BUCKET": f"test-{uuid4().hex}",
            "WHISPER_S3_ACCESS_KEY": store.access_key,
            "WHISPER_S3_SECRET_KEY": store.secret_key,
            "WHISPER_API_KEY": KEY,
            "WHISPER_MODELS": json.dumps(
                [
                    {"name": "tiny.en", "aliases": ["tiny"], "source": {"path": str(weights.tiny_en())}},
                    {"name": "base", "source": {"path": str(weights.base())}},  # loaded when it is asked for
                ]
            ),
            "WHISPER_MODEL_CACHE": f"{folder}/models",
            "WHISPER_CLAIM_LEASE_SECONDS": "2",
            "WHISPER_POLL_SECONDS": "0.3",
            "WHISPER_THREADS": "2",
            "WHISPER_DRAIN_SECONDS": "0",
        }
        made = Service(env, Path(folder))
        try:
            migrated = made.run("migrate")
            assert migrated.returncode == 0, migrated.stderr
            yield made
        finally:
            made.stop()


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    return body
