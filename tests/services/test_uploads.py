"""A large upload through a real API and a real S3: killed in the middle, it goes on, and memory stays flat."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.running import KEY, Process, Service

MIB = 1024**2
SIZE = int(os.environ.get("WHISPER_UPLOAD_MIB", "300")) * MIB
PATCH = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}


def rss(process: Process) -> int:
    """Bytes of memory of the API, at its peak."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def body(offset: int, api: Process, kill_at: int | None = None) -> Iterator[bytes]:
    for start in range(offset, SIZE, MIB):
        if kill_at is not None and start >= kill_at:
            api.kill()
            return
        yield bytes([start // MIB % 251]) * (min(start + MIB, SIZE) - start)


@pytest.mark.timeout(300)
def test_an_upload_outlives_its_api_and_costs_no_memory(service: Service) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    api = service.start("serve")
    before = rss(api)
    made = httpx.post(f"{api.url}/v1/tus", headers=headers | {"Upload-Length": str(SIZE)})
    place = made.headers["location"]
    with contextlib.suppress(httpx.TransportError):
        given = headers | PATCH | {"Upload-Offset": "0"}
        httpx.patch(f"{api.url}{place}", content=body(0, api, SIZE // 3), headers=given, timeout=120)
    again = service.start("serve")
    offset = int(httpx.head(f"{again.url}{place}", headers=headers).headers["upload-offset"])
    assert SIZE // 3 - 36 * MIB <= offset <= SIZE // 3
    given = headers | PATCH | {"Upload-Offset": str(offset)}
    ended = httpx.patch(f"{again.url}{place}", content=body(offset, again), headers=given, timeout=240)
    assert (ended.status_code, ended.headers["upload-offset"]) == (204, str(SIZE))
    source = {"source": {"upload": {"id": place.rpartition("/")[2]}}}
    job = httpx.post(f"{again.url}/v1/jobs", json=source, headers=headers, timeout=240)
    assert job.status_code == 201, job.text
    print(f"grew by {(rss(again) - before) / MIB:.0f} MiB")
    assert rss(again) - before <= 80 * MIB
