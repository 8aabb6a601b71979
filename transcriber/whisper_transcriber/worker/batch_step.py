"""One step of a batch: its file is checked, jobs are made of its lines, what is done is written, or it ends.

Whatever a step does can be done again by another worker: a line's job and its key are always the same, a segment counts
once it is recorded, and where the batch stands is recorded after each part of the work.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from whisper_transcriber.bell.port import WORK, ended
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.batches import (
    Batch,
    Line,
    Outcome,
    Refusal,
    batch_folder,
    checked,
    counted,
    finalizing,
    late,
    outcomes,
    over,
    ripe,
    room,
    written,
)
from whisper_transcriber.domain.demand import audio_waiting
from whisper_transcriber.domain.job import Job, NewJob
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.request.errors import ApiError
from whisper_transcriber.request.files import assemble
from whisper_transcriber.store.port import IdempotencyMismatch
from whisper_transcriber.worker.batch_check import check
from whisper_transcriber.worker.batch_files import Lines, keep_files, write_lines

log = Log(__name__)
# What waits may be filled up to this part by batches, so that they never keep others from being taken.
_QUEUE_SHARE: Final = 0.5


class Lost(Exception):
    """Another worker has the batch by now, or nobody: drop the work."""


async def step(deps: Deps, batch: Batch) -> float:
    """Lead a claimed batch on; returns after how many seconds it is due again. Raises Lost."""
    now = datetime.now(UTC)
    batch = late(batch, now)
    if batch.recorded == "validating" and not batch.stopped:
        total, problems = await check(deps, batch)
        batch = await _save(deps, checked(batch, total, problems, datetime.now(UTC)))
        if batch.ended:
            await _close(deps, batch)
            return 0.0
    return await _go_on(deps, batch)


async def _go_on(deps: Deps, batch: Batch) -> float:
    lines, jobs = Lines(deps.objects, batch.id), await _jobs(deps, batch)
    if batch.made < batch.reserved and not batch.stopped:
        batch = await _make(deps, batch, lines, jobs)
        jobs = await _jobs(deps, batch)
    if batch.stopped:
        batch = replace(batch, made=batch.reserved)
        await _give_up(deps, jobs.values())
        jobs = await _jobs(deps, batch)
    known = outcomes(batch, jobs)
    ahead = deps.settings.batch_ahead
    if count := ripe(batch, known, ahead):
        batch = await _save(deps, await _write(deps, batch, lines, jobs, known[:count]))
        known = known[count:]
    before, batch = batch, counted(batch, known)
    if batch.written == batch.total:
        await _close(deps, await _save(deps, finalizing(batch, datetime.now(UTC))))
        return 0.0
    more = room(batch, ahead) if await _may_make(deps, batch) else 0
    if more or batch != before:
        batch = await _save(deps, replace(batch, reserved=batch.reserved + more))
    return 0.0 if more or count else deps.settings.poll_seconds


async def _save(deps: Deps, batch: Batch) -> Batch:
    saved = await deps.store.batches.save(batch, deps.settings.claim_lease_seconds)
    if saved is None:
        raise Lost
    return saved


async def _jobs(deps: Deps, batch: Batch) -> Mapping[UUID, Job]:
    """The jobs that there are of the lines that may have one and are not written."""
    return await deps.store.find([batch.job(line) for line in range(batch.written, batch.reserved)])


async def _may_make(deps: Deps, batch: Batch) -> bool:
    """Whether the queue and the key's audio of today leave room for more."""
    limit = deps.settings.max_queue_seconds
    if limit and audio_waiting(await deps.store.queue()) > limit * _QUEUE_SHARE:
        return False
    key = await deps.store.keys.get(batch.api_key) if batch.api_key else None
    if key is None or key.audio_seconds_per_day is None:
        return True
    return await deps.store.keys.audio_used(key.id) < key.audio_seconds_per_day


async def _make(deps: Deps, batch: Batch, lines: Lines, jobs: Mapping[UUID, Job]) -> Batch:
    """The batch with a job for each line that is reserved, or the reason why there is none."""
    refused = dict(batch.refused)
    for number in range(batch.made, batch.reserved):
        if batch.job(number) not in jobs:
            try:
                await _job(deps, batch, number, await lines.at(number))
            except ApiError as error:
                refused[number] = Refusal(error.status, error.code, error.message, error.param)
    await deps.bell.ring(WORK)
    return await _save(deps, replace(batch, made=batch.reserved, refused=refused))


async def _job(deps: Deps, batch: Batch, number: int, line: Line) -> None:
    """Make a line's job. Raises ApiError, if its file is gone."""
    id_, request, size = batch.job(number), line.request, None
    if line.upload is not None:
        gone = ApiError(404, "The file with the audio was deleted.", code="file_not_found", param="body.file")
        file = await deps.store.files.get(line.upload)
        if file is None:
            raise gone
        size = file.bytes
        try:
            request = replace(request, sha256=await assemble(deps, file, id_))
        except Missing:
            raise gone from None
    metadata = {"batch_id": batch.name, "custom_id": line.custom_id}
    new = NewJob(id_, request, batch.key(number), batch.tenant, False, metadata, batch.api_key, size=size)
    try:
        await deps.store.create(new)
    except IdempotencyMismatch:  # the same line, when its model meant something else
        log.warning("Kept the job that a line has already", job=id_)


async def _give_up(deps: Deps, jobs: Iterable[Job]) -> None:
    for job in jobs:
        if not job.ended:
            await deps.store.cancel(job.id)
            await deps.bell.ring(ended(job.id))


async def _write(deps: Deps, batch: Batch, lines: Lines, jobs: Mapping[UUID, Job], known: Sequence[Outcome]) -> Batch:
    done = await write_lines(deps, batch, lines, jobs, known)
    return written(batch, done.completed, done.failed, done.output, done.errors)


async def _close(deps: Deps, batch: Batch) -> None:
    """Bring a batch to its end: its files are there, and nothing else of it is left. Raises Lost."""
    await keep_files(deps, batch)
    await deps.objects.delete_folder(batch_folder(batch.id))
    if not batch.ended:
        batch = await _save(deps, over(batch, datetime.now(UTC)))
    deps.metrics.request_batches.labels(batch.recorded).inc()
    counts = {"total": batch.total, "completed": batch.completed, "failed": batch.failed}
    log.info("Ended a batch", status=batch.recorded, **counts)
