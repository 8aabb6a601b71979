"""A transcript while it is being heard: OpenAI's events, as soon as windows will not change any more.

The joined deltas are the text of `done`, which is that of `response_format=json`.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeAlias

from whisper_transcriber.bell.port import Listener, ended, moved
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.domain.job import Job
from whisper_transcriber.domain.lasting import lasting
from whisper_transcriber.domain.transcript import Segment, Transcript
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.render import logprobs
from whisper_transcriber.request.errors import ApiError, succeeded, unavailable, unexpected
from whisper_transcriber.store.port import Store, Unavailable

log = Log(__name__)
_ALIVE: Final = 15.0  # seconds; a proxy may take a connection for dead that is silent for long
_PATIENCE: Final = 10.0  # seconds in which a failure is still a status, and not an event
_POSITIONS: Final = 50  # a second; what Whisper's encoder makes of audio: its input tokens

News: TypeAlias = Sequence[Segment] | Job | None
Heard: TypeAlias = AsyncGenerator[News, None]


async def heard(deps: Deps, job: Job) -> Heard:
    """Segments of a job's transcript as they come to last, none where there is nothing new; at the end the job.

    Or None, if it was deleted. Something comes every few seconds.
    """
    reader = _Reader(deps.store)
    async with deps.bell.listen(moved(job.id)) as news, deps.bell.listen(ended(job.id)) as end:
        while True:
            segments: Sequence[Segment] = ()
            try:
                found = await deps.looks.at(job.id)
                if found is None or found.ended:
                    yield found
                    return
                segments = await reader.new(found)
            except Unavailable as error:
                log.warning("Could not look at a job, looking again", job=job.id, reason=str(error))
            yield segments
            await _either(deps.settings.poll_seconds, news, end)


async def begun(source: Heard) -> list[News]:
    """What came until there was text, the job ended, or it took too long for the client to be left without an answer.

    Raises ApiError if the job ended without a result.
    """
    came: list[News] = []
    deadline = time.monotonic() + _PATIENCE
    async for news in source:
        came.append(news)
        if news is None or isinstance(news, Job):
            succeeded(news)
        if news or time.monotonic() > deadline:
            break
    return came


async def events(deps: Deps, came: Sequence[News], source: Heard, *, with_logprobs: bool) -> AsyncIterator[bytes]:
    """The body of the answer: what `came` already and what comes from `source`, as events."""
    spoken, sent = _Spoken(with_logprobs), time.monotonic()
    try:
        async with aclosing(source):
            async for news in _chained(came, source):
                if news is None or isinstance(news, Job):
                    transcript = await results.read(deps.objects, succeeded(news).id)
                    for event in spoken.end(transcript):
                        yield _event(event)
                elif (delta := spoken.more(news)) is not None:
                    yield _event(delta)
                    sent = time.monotonic()
                elif time.monotonic() - sent > _ALIVE:
                    yield b": still listening\n\n"
                    sent = time.monotonic()
    except ApiError as error:
        yield _event(error.body())
    except (Unavailable, ObjectsUnavailable):
        yield _event(unavailable().body())
    except Exception:
        log.error("Failed in the middle of a stream", trace=True)
        yield _event(unexpected().body())
    yield b"data: [DONE]\n\n"


class _Reader:
    """Reads a job's windows as they are recorded, part by part."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._part = 0
        self._told = 0  # segments of this part

    async def new(self, job: Job) -> list[Segment]:
        """The segments that have come to last since the last time."""
        new: list[Segment] = []
        while job.windows_done:
            parts = await self._store.parts(job.id) if job.parts else ()
            whole = self._part < len(parts) and parts[self._part].done
            results = await self._store.windows(job.id, self._part)
            final = lasting(results, whole=whole)
            segments = [segment for result in final for segment in result.segments]
            new += segments[self._told :]
            self._told = len(segments)
            if not whole or len(final) < len(results):
                break
            self._part, self._told = self._part + 1, 0
        return new


class _Spoken:
    """What was said so far. Spaces at the end wait for what follows, as the whole text has none at its ends."""

    def __init__(self, with_logprobs: bool) -> None:
        self._with_logprobs = with_logprobs
        self._segments = 0
        self._text = ""
        self._sent = 0

    def more(self, segments: Sequence[Segment]) -> dict[str, Any] | None:
        """The event for the next segments; None if they say nothing."""
        beginning = not self._text.strip()
        self._segments += len(segments)
        self._text += "".join(segment.text for segment in segments)
        text = self._text.strip()
        delta, self._sent = text[self._sent :], len(text)
        if not delta:
            return None
        event: dict[str, Any] = {"type": "transcript.text.delta", "delta": delta}
        return event | ({"logprobs": logprobs(segments, beginning=beginning)} if self._with_logprobs else {})

    def end(self, transcript: Transcript) -> Iterator[dict[str, Any]]:
        """The last events, when everything was said."""
        if not "".join(segment.text for segment in transcript.segments).startswith(self._text):
            raise RuntimeError("the transcript is not what was told of it")
        if (delta := self.more(transcript.segments[self._segments :])) is not None:
            yield delta
        done: dict[str, Any] = {"type": "transcript.text.done", "text": transcript.text}
        if self._with_logprobs:
            done["logprobs"] = logprobs(transcript.segments)
        yield done | {"usage": _usage(transcript)}


def _usage(transcript: Transcript) -> dict[str, Any]:
    """In tokens, the only form that this event has: positions of the encoder in, tokens of the decoder out."""
    audio = math.ceil(transcript.duration * _POSITIONS)
    text = sum(len(segment.tokens) for segment in transcript.segments)
    return {
        "type": "tokens",
        "input_tokens": audio,
        "input_token_details": {"audio_tokens": audio, "text_tokens": 0},
        "output_tokens": text,
        "total_tokens": audio + text,
    }


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


async def _chained(first: Sequence[News], rest: Heard) -> AsyncIterator[News]:
    for news in first:
        yield news
    async for news in rest:
        yield news


async def _either(seconds: float, *ears: Listener) -> None:
    """Wait until one of them rings, at most so many seconds."""
    ways = [asyncio.create_task(ear.heard(seconds)) for ear in ears]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
