"""The result object of a job: the windows as they were heard, stitched whenever somebody reads them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from whisper_transcriber.domain.job import result_key
from whisper_transcriber.domain.options import Task
from whisper_transcriber.domain.transcript import Transcript, WindowResult, stitch
from whisper_transcriber.objects.port import Objects

_FORMAT = 1


@dataclass(frozen=True)
class About:
    """What is true of the whole transcript: see `Transcript`."""

    task: Task
    language: str
    duration: float
    model: str
    model_digest: str
    engine: str


async def write(objects: Objects, job: UUID, about: About, windows: Sequence[WindowResult]) -> None:
    """Keep a job's result, replacing one that an attempt cut short may have left."""
    await objects.put(result_key(job), _encode(about, windows))


async def read(objects: Objects, job: UUID) -> Transcript:
    """A job's transcript. Raises Missing."""
    body = b"".join([chunk async for chunk in objects.get(result_key(job))])
    # In a thread: a day of speech takes longer than any other request should wait.
    return await asyncio.to_thread(_decode, body)


def _decode(body: bytes) -> Transcript:
    found: dict[str, Any] = json.loads(body)
    windows = [WindowResult.from_json(json.dumps(window)) for window in found["windows"]]
    return stitch(windows, **vars(About(**found["about"])))


async def _encode(about: About, windows: Sequence[WindowResult]) -> AsyncIterator[bytes]:
    yield f'{{"format":{_FORMAT},"about":{json.dumps(asdict(about))},"windows":['.encode()
    for number, window in enumerate(windows):
        yield (("," if number else "") + window.to_json()).encode()
    yield b"]}"
