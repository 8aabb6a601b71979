"""A batch's lines as they are kept while it runs, and the files that it writes, a segment at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

from whisper_transcriber.deps import Deps, results
from whisper_transcriber.domain.batch_records import answered, refusal_body, unanswered
from whisper_transcriber.domain.batches import CHUNK, Batch, Line, Outcome, Stop, chunk_key
from whisper_transcriber.domain.files import NEVER, File, Segment, segment_key
from whisper_transcriber.domain.job import Job
from whisper_transcriber.domain.transcript import Transcript
from whisper_transcriber.objects.port import Missing, Objects
from whisper_transcriber.render import Format, Granularity, render
from whisper_transcriber.request.errors import failed

OUTPUT: Final = "batch_output"
_WHY: Final[Mapping[Stop, str]] = {
    "batch_cancelled": "The batch was cancelled before this request was done.",
    "batch_expired": "This request was not done within the batch's completion window.",
}


class Lines:
    """The lines of a batch that was checked; those read last are at hand."""

    def __init__(self, objects: Objects, batch: UUID) -> None:
        self._objects = objects
        self._batch = batch
        self._chunks: dict[int, Sequence[Line]] = {}

    async def at(self, number: int) -> Line:
        """A line, counted from 0."""
        chunk = number // CHUNK
        if chunk not in self._chunks:
            async with aclosing(self._objects.get(chunk_key(self._batch, chunk))) as body:
                said = json.loads(b"".join([piece async for piece in body]))
            self._chunks[chunk] = [Line.from_dict(line) for line in said]
            for old in sorted(self._chunks)[:-3]:
                del self._chunks[old]
        return self._chunks[chunk][number % CHUNK]


@dataclass(frozen=True)
class Written:
    """How many lines were written as done, and as not, and where."""

    completed: int
    failed: int
    output: Segment | None
    errors: Segment | None


async def write_lines(
    deps: Deps, batch: Batch, lines: Lines, jobs: Mapping[UUID, Job], known: Sequence[Outcome]
) -> Written:
    """Write the lines that are next, of which all is known: the answers into one segment, the rest into another one."""
    numbers = range(batch.written, batch.written + len(known))
    done = [number for number, outcome in zip(numbers, known, strict=True) if outcome == "completed"]
    gone: set[int] = set()

    async def answers() -> AsyncIterator[bytes]:
        for number in done:
            line = await lines.at(number)
            try:
                transcript = await results.read(deps.objects, batch.job(number))
            except Missing:
                gone.add(number)
                continue
            body = await asyncio.to_thread(_body, transcript, line)
            yield answered(batch, number, line.custom_id, 200, body).encode()

    output = await _segment(deps, batch.output_file, answers()) if done else None
    rest = [number for number in numbers if number not in done or number in gone]

    async def errors() -> AsyncIterator[bytes]:
        for number in rest:
            line = await lines.at(number)
            yield _error(batch, number, line.custom_id, jobs.get(batch.job(number))).encode()

    failed_ = await _segment(deps, batch.error_file, errors()) if rest else None
    return Written(len(done) - len(gone), len(rest), output, failed_)


async def keep_files(deps: Deps, batch: Batch) -> None:
    """Make files of what a batch has written; those that are there already stay."""
    now = datetime.now(UTC)
    expires_at = now + timedelta(seconds=batch.output_seconds) if batch.output_seconds else NEVER
    for id_, segments, name in (
        (batch.output_file, batch.output, f"{batch.name}_output.jsonl"),
        (batch.error_file, batch.errors, f"{batch.name}_error.jsonl"),
    ):
        if segments and await deps.store.files.get(id_) is None:
            size = sum(segment.bytes for segment in segments)
            about: dict[str, Any] = {"filename": name, "purpose": OUTPUT, "mime_type": "application/jsonl"}
            file = File(id_, batch.tenant, "whole", size, now, expires_at, **about, status="completed")
            await deps.store.files.add(File(**{**vars(file), "segments": segments}))


async def once(body: bytes) -> AsyncIterator[bytes]:
    """Bytes that are there as a stream."""
    yield body


async def _segment(deps: Deps, file: UUID, chunks: AsyncIterator[bytes]) -> Segment | None:
    """A segment of a name of its own: one that was cut short, or that another worker wrote, is no part of the file."""
    id_ = uuid4()
    size = await deps.objects.put(segment_key(file, id_), chunks)
    return Segment(id_, size) if size else None


def _body(transcript: Transcript, line: Line) -> object:
    """The body of the answer: an object, or a text where one was asked for."""
    granularities = cast(tuple[Granularity, ...], line.granularities)
    with_logprobs = line.request.options.logprobs
    said, kind = render(transcript, cast(Format, line.format), granularities, with_logprobs=with_logprobs)
    body: object = json.loads(said) if kind == "application/json" else said.decode()
    return body


def _error(batch: Batch, number: int, custom_id: str, job: Job | None) -> str:
    if (refusal := batch.refused.get(number)) is not None:
        return answered(batch, number, custom_id, refusal.status, refusal_body(refusal))
    if job is not None and job.failure is not None:
        error = failed(job.failure)
        return answered(batch, number, custom_id, error.status, error.body())
    if batch.stopped is not None and (job is None or job.status == "cancelled"):
        return unanswered(batch, number, custom_id, batch.stopped, _WHY[batch.stopped])
    if job is not None and job.status == "cancelled":
        return unanswered(batch, number, custom_id, "job_cancelled", "The request's job was cancelled.")
    return unanswered(batch, number, custom_id, "job_deleted", "The request's job, or its result, was deleted.")
