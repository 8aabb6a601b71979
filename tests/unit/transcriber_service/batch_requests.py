"""Files of requests, and batches made of them, as tests of batches need them."""

import asyncio
import json
from typing import Any

import openai
from openai.types import Batch

from whisper_transcriber.deps import Deps
from whisper_transcriber.worker.batches import lead_on

ENDPOINT = "/v1/audio/transcriptions"
WEB = "https://audio.example/a.mp3"


def line(custom_id: str = "a", **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": {"model": "whisper-1", **body}}


def text(*lines: Any) -> bytes:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines).encode()


async def made(client: openai.AsyncOpenAI, content: bytes, endpoint: Any = ENDPOINT, **about: Any) -> Batch:
    file = await client.files.create(file=("lines.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"show": "news"}, **about
    )


async def led(deps: Deps) -> None:
    """Lead batches on until they wait."""
    while (batch := await deps.store.batches.claim(60)) is not None:
        await lead_on(deps, batch, asyncio.Event())
