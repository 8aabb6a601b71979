"""What tests of the API share: what is sent, a worker's part in it, and errors as they must be."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from whisper_transcriber.bell.port import WORK
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.results import About
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.domain.transcript import Segment, WindowResult
from whisper_transcriber.domain.window import Window

HEARD = [WindowResult(Window(0, 0, 2), "en", 0.9, (Segment(0.5, 1.5, " Hello.", (1,), 0.0, -0.1, 1.0, 0.0),))]
CLIP = {"file": ("clip.wav", b"sound")}
SYNC = "/v1/audio/transcriptions"


def error(answer: httpx.Response) -> dict[str, Any]:
    """What an error says, held to what every error has."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0
    return dict(body["error"])


async def claim(deps: Deps) -> Claim:
    """The next job, as a worker claims it."""
    async with deps.bell.listen(WORK) as ear:
        while (claimed := await deps.store.claim("worker", 60)) is None:
            await ear.heard(60)
    return claimed


async def succeed(deps: Deps) -> UUID:
    """Do what a worker does, but for the listening."""
    claimed = await claim(deps)
    about = About("transcribe", "en", 2.0, "base", "sha256:1", "ctranslate2")
    await results.write(deps.objects, claimed.job.id, about, HEARD)
    await deps.store.succeed(claimed, "en", 2.0)
    return claimed.job.id


def files(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
