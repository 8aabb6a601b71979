"""The whole service in one process: what it hears, what it keeps over a SIGKILL, and what it refuses."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from assets import speech, weights
from clips import word_error_rate
from services import openai_answers
from services.node import openai_calls
from services.running import PATIENCE, PLAIN
from services.servers import free_port, wait_until


class Standalone:
    """One run of the command over a data folder."""

    def __init__(self, folder: Path, *flags: str, model: Path | None = None) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{(port := free_port())}"
        with (folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(_command(folder, port, *flags, model=model), stderr=log)
        wait_until(self._ready, "the service to be ready", PATIENCE)

    @property
    def key(self) -> str:
        return (self.folder / "api-key").read_text().strip()

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, verify=PLAIN)

    def job(self, id_: str) -> dict[str, Any]:
        with self.http() as http:
            found: dict[str, Any] = http.get(f"/v1/jobs/{id_}").raise_for_status().json()
        return found

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def _ready(self) -> bool:
        assert self.process.poll() is None, (self.folder.parent / "log").read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False


def _command(folder: Path, port: int, *flags: str, model: Path | None = None) -> list[str]:
    named = ["--model", str(model or weights.tiny_en()), "--port", str(port), "--data-dir", str(folder)]
    return [sys.executable, "-m", "whisper_transcriber", "standalone", *named, *flags]


@contextmanager
def standalone(folder: Path, *flags: str, model: Path | None = None) -> Iterator[Standalone]:
    """By default `tiny.en`."""
    made = Standalone(folder, *flags, model=model)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.end(signal.SIGKILL)


def test_the_openai_client_hears_what_was_said_and_sigterm_ends_it(tmp_path: Path) -> None:
    clip = speech.long(10)
    with standalone(tmp_path / "data") as service:
        with (
            OpenAI(base_url=f"{service.url}/v1", api_key=service.key, max_retries=0) as api,
            clip.path.open("rb") as audio,
        ):
            heard = api.audio.transcriptions.create(file=audio, model="whisper-1")
        assert word_error_rate(clip.text, heard.text) < 0.25
        assert httpx.get(f"{service.url}/v1/models").status_code == 401
        assert stat.S_IMODE((service.folder / "api-key").stat().st_mode) == 0o600
        assert service.key not in (tmp_path / "log").read_text()
        assert service.end(signal.SIGTERM) == 0


def test_the_node_client_is_answered_as_by_a_service_of_many_processes(tmp_path: Path) -> None:
    with standalone(tmp_path / "data", model=weights.base()) as service:
        openai_answers.good(openai_calls(service.url, service.key))


def test_a_job_goes_on_after_a_sigkill_where_it_was(tmp_path: Path) -> None:
    clip, folder = speech.long(400), tmp_path / "data"
    with standalone(folder) as service:
        with service.http() as http, clip.path.open("rb") as audio:
            job = http.post("/v1/jobs", files={"file": audio}, headers={"Idempotency-Key": "once"}).json()["id"]
        wait_until(lambda: service.job(job)["windows"]["done"] >= 4, "some windows", PATIENCE)
        service.end(signal.SIGKILL)
    with standalone(folder) as service:
        before = service.job(job)
        assert before["windows"]["done"] >= 4
        wait_until(lambda: service.job(job)["status"] in ("succeeded", "failed"), "the job to end", PATIENCE)
        after = service.job(job)
        assert after["status"] == "succeeded"
        assert after["windows"]["repeated"] <= 1
        with service.http() as http, clip.path.open("rb") as audio:
            again = http.post("/v1/jobs", files={"file": audio}, headers={"Idempotency-Key": "once"}).json()
            text = http.get(f"/v1/jobs/{job}/result", params={"format": "text"}).text
        assert again["id"] == job
        assert word_error_rate(clip.text, text) < 0.2


def test_without_auth_anybody_on_this_machine_may_ask(tmp_path: Path) -> None:
    with standalone(tmp_path / "data", "--no-auth") as service:
        assert httpx.get(f"{service.url}/v1/models").json()["data"][0]["id"] == "tiny.en"
        assert not (service.folder / "api-key").exists()
        second = subprocess.run(
            _command(service.folder, free_port()), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert second.returncode == 1
        assert "in use by another process" in second.stderr


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = _command(tmp_path / "data", taken.getsockname()[1])
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert "error: Cannot listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--model", "/no/such/folder"], "The folder /no/such/folder does not exist."),
        (["--port", "70000"], "--port: '70000' is not a port"),
        (["--data-dir", "/proc/nothing"], "/proc/nothing"),
    ],
)
def test_what_the_user_must_change_is_said_and_ends_it(tmp_path: Path, flags: list[str], sentence: str) -> None:
    command = [*_command(tmp_path / "data", free_port()), *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=dict(os.environ))
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
