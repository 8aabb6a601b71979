"""What encrypting objects costs: one GiB through the API into the object store, without keys and with them."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import httpx

from services import running
from services.running import KEY, Process
from whisper_transcriber.objects.keyring import new_key

_MIB = 1 << 20
_SIZE = 1024 * _MIB
_TUS = {"Authorization": f"Bearer {KEY}", "Tus-Resumable": "1.0.0"}


def encryption(rounds: int, say: Callable[[str], None]) -> list[str]:
    """Uploads in turn to two API processes on one store, which is another process on the same processors."""
    seen: dict[str, list[tuple[float, float]]] = {"plain": [], "encrypted": []}
    with running.service() as service:
        keys = {"plain": "", "encrypted": f"one: {new_key().hex()}"}
        apis = {name: service.start("serve", WHISPER_OBJECTS_KEYS=text) for name, text in keys.items()}
        for _ in range(rounds):
            for name, api in apis.items():
                seen[name].append(_upload(api))
                say(f"  {name}: {seen[name][-1][0]:.1f} s, {seen[name][-1][1]:.1f} s of the API's processor")
    lines = ["| 1 GiB by tus | MB/s | the API's processor seconds |", "|---|---|---|"]
    for name, found in seen.items():
        took, cpu = (median(each[at] for each in found) for at in (0, 1))
        lines.append(f"| {name} | {_SIZE / took / 1e6:.0f} | {cpu:.2f} |")
    return lines


def _upload(api: Process) -> tuple[float, float]:
    """Seconds that an upload took, and of them the API's processor time."""
    before, started = _cpu(api), time.monotonic()
    with httpx.Client(base_url=api.url, headers=_TUS, timeout=600) as http:
        place = http.post("/v1/tus", headers={"Upload-Length": str(_SIZE)}).headers["location"]
        given = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        answer = http.patch(place, content=_body(), headers=given)
        answer.raise_for_status()
        took, cpu = time.monotonic() - started, _cpu(api) - before
        http.delete(place).raise_for_status()
    return took, cpu


def _body() -> Iterator[bytes]:
    piece = os.urandom(_MIB)
    for _ in range(_SIZE // _MIB):
        yield piece


def _cpu(api: Process) -> float:
    """Processor seconds of a process, user and system."""
    fields = Path(f"/proc/{api.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
