"""What the API costs and what it does without its servers."""

from collections.abc import Iterator
from pathlib import Path

import httpx

from services.running import KEY, Client, Process, Service
from services.servers import free_port, wait_until

MIB = 1024**2
BOUNDARY = "the-boundary"


def form(size: int) -> Iterator[bytes]:
    """A multipart body with a file of so many bytes, made as it is sent."""
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    for _ in range(size // MIB):
        yield bytes(MIB)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def peak(process: Process) -> int:
    """The most memory (bytes) that a process has had."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def send(api: Process, size: int) -> httpx.Response:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return httpx.post(f"{api.url}/v1/jobs", content=form(size), headers=headers, timeout=240)


def test_a_large_upload_costs_little_memory(service: Service) -> None:
    api = service.start("serve")
    assert send(api, 16 * MIB).status_code == 201
    before = peak(api)
    assert send(api, 384 * MIB).status_code == 201
    assert peak(api) - before <= 64 * MIB


def test_an_upload_past_the_limit_is_refused_and_the_api_goes_on(service: Service) -> None:
    api = service.start("serve", WHISPER_MAX_UPLOAD_BYTES=str(4 * MIB))
    refused = send(api, 64 * MIB)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "file_too_large")
    assert send(api, 2 * MIB).status_code == 201


def test_without_postgresql_the_api_lives_and_asks_to_try_again(service: Service) -> None:
    api = service.launch("serve", WHISPER_DATABASE_URL=f"postgresql://u:p@127.0.0.1:{free_port()}/d")
    wait_until(api.alive, "the API to live")
    ready = httpx.get(f"{api.url}/readyz", timeout=30)
    assert ready.status_code == 503
    assert ready.json()["checks"]["store"] == "unavailable"
    assert ready.json()["checks"]["objects"] == "ok"
    with Client(api).http as http:
        refused = http.get("/v1/jobs")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert api.terminate() == 0


def test_migrating_again_changes_nothing(service: Service) -> None:
    again = service.run("migrate")
    assert again.returncode == 0
    assert '"applied": []' in again.stderr
