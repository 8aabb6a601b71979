"""Batches on one machine: the whole service is killed again and again, and each line is answered once."""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from signal import SIGKILL

import pytest
from openai import OpenAI

from assets import speech
from clips import word_error_rate
from services.running import PATIENCE
from services.servers import wait_until
from services.test_standalone import Standalone, standalone

LINES = 8
CLIP = speech.long(5)


def api(service: Standalone) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key=service.key, max_retries=0, timeout=PATIENCE)


def far(client: OpenAI, batch: str, least: int) -> bool:
    found = client.batches.retrieve(batch)
    counts = found.request_counts
    return found.status != "validating" and counts is not None and counts.completed >= least


def test_a_batch_goes_on_after_each_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH_AHEAD", "4"), ("POLL_SECONDS", "0.2"), ("CLAIM_LEASE_SECONDS", "2")):
        monkeypatch.setenv(f"WHISPER_{name}", value)
    folder = tmp_path / "data"
    with standalone(folder) as service, api(service) as client:
        audio = client.files.create(file=CLIP.path, purpose="user_data")
        url = "/v1/audio/transcriptions"
        body = {"model": "whisper-1", "file": audio.id}
        lines = [{"custom_id": str(n), "method": "POST", "url": url, "body": body} for n in range(LINES)]
        content = "\n".join(map(json.dumps, lines)).encode()
        file = client.files.create(file=("lines.jsonl", content), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")  # type: ignore[arg-type]
        service.end(SIGKILL)
    for least in (0, 3):
        with standalone(folder) as service, api(service) as client:
            wait_until(partial(far, client, batch.id, least), f"{least} lines", PATIENCE)
            service.end(SIGKILL)
    with standalone(folder) as service, api(service) as client:
        wait_until(lambda: client.batches.retrieve(batch.id).status == "completed", "the batch to end", PATIENCE)
        done = client.batches.retrieve(batch.id)
        assert done.request_counts is not None
        assert (done.request_counts.completed, done.request_counts.failed) == (LINES, 0)
        answers = [json.loads(line) for line in client.files.content(done.output_file_id or "").text.splitlines()]
        assert [each["custom_id"] for each in answers] == [str(n) for n in range(LINES)]
        assert all(word_error_rate(CLIP.text, each["response"]["body"]["text"]) < 0.3 for each in answers)
        with service.http() as http:
            jobs = http.get("/v1/jobs", params={"limit": 100}).json()["data"]
        assert Counter(job["metadata"]["custom_id"] for job in jobs) == Counter(str(n) for n in range(LINES))
