"""The unmodified tus-js-client against the running service: cut off by itself and by the service, it loses nothing."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assets import speech
from clips import word_error_rate
from services.node import installed
from services.running import KEY, Client, Process, Service

SCRIPT = Path(__file__).parent / "tus_node" / "uploads.mjs"
CHUNK = 128 * 1024
CLIP = speech.long(20)


@contextmanager
def client_does(what: str, api: Process, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The script, at work on the clip."""
    command = ["node", str(installed(SCRIPT)), what, str(CLIP.path), str(folder / "urls.json")]
    env = {**os.environ, "TUS_ENDPOINT": f"{api.url}/v1/tus", "TUS_KEY": KEY}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        try:
            yield script
        finally:
            script.kill()


def told(script: "subprocess.Popen[str]", to: str = "") -> dict[str, Any]:
    """What came of it."""
    said, _ = script.communicate(to, timeout=120)
    assert script.returncode == 0
    found = json.loads(said.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.timeout(300)
def test_an_upload_outlives_its_client_and_its_api(service: Service, tmp_path: Path) -> None:
    api = service.start("serve")
    with client_does("abort", api, tmp_path) as script:
        aborted = told(script)
    assert CHUNK < aborted["sent"] <= 2 * CHUNK
    with client_does("resume", api, tmp_path) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "kill\n"
        api.kill()
        assert script.stdin is not None
        script.stdin.write("go\n")
        script.stdin.flush()
        again = service.start("serve", WHISPER_PORT=str(api.port))
        resumed = told(script)
    assert (resumed["found"], resumed["url"]) == (1, aborted["url"])
    assert resumed["first"] >= CHUNK
    assert "POST" not in resumed["requests"]
    assert resumed["requests"].count("HEAD") >= 2
    service.start("work")
    with (client := Client(again)).http as http:
        name = resumed["url"].rpartition("/")[2]
        made = http.post("/v1/jobs", json={"source": {"upload": {"id": name}}, "model": "tiny.en"})
    assert client.ended(made.json()["id"])["status"] == "succeeded"
    assert word_error_rate(CLIP.text, client.result(made.json()["id"]).json()["text"]) < 0.3


def test_the_client_is_told_what_was_wrong(client: Client, tmp_path: Path) -> None:
    with client_does("refused", client.api, tmp_path) as script:
        found = told(script)
    assert (found["spaced"]["status"], found["spaced"]["param"]) == (400, "Upload-Metadata")
    assert "'file name " in found["spaced"]["message"]
    assert (found["long"]["status"], found["long"]["param"]) == (400, "Upload-Metadata")
    assert (found["stranger"]["status"], found["stranger"]["code"]) == (401, "invalid_api_key")
    assert (found["large"]["status"], found["large"]["code"]) == (413, "file_too_large")
    assert found["gone"]["status"] == 404
