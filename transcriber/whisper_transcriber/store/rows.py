"""Rows of the jobs table as values, and the other way round."""

import json
from typing import Any, Protocol

from whisper_transcriber.domain.job import Failure, Job, JobRequest, NewJob
from whisper_transcriber.domain.options import Options


class Row(Protocol):
    """A row by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


# Columns that a Job has by the same name.
_SAME = (
    "id",
    "status",
    "created_at",
    "tenant",
    "attempt",
    "failures",
    "model_digest",
    "engine",
    "language",
    "audio_seconds",
    "processed_seconds",
    "windows_done",
    "windows_total",
    "windows_repeated",
    "started_at",
    "finished_at",
)


def job_of(row: Row) -> Job:
    """The job in a row of `SELECT * FROM jobs`."""
    request = JobRequest(
        model=row["model"],
        options=Options.from_dict(json.loads(row["options"])),
        priority=row["priority"],
        source_url=row["source_url"],
        sha256=row["sha256"],
    )
    failure = Failure(row["error_code"], row["error_message"] or "") if row["error_code"] else None
    return Job(request=request, failure=failure, **{name: row[name] for name in _SAME})


def new_row(new: NewJob) -> tuple[Any, ...]:
    """The arguments of `create.sql`."""
    request = new.request
    return (
        new.id,
        new.tenant,
        new.idempotency_key,
        request.fingerprint,
        request.priority,
        request.model,
        json.dumps(request.options.to_dict()),
        request.source_url,
        request.sha256,
        new.synchronous,
    )
