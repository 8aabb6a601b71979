"""Rows of the jobs table as values, and the other way round."""

import json
from typing import Any, Final, Protocol

from pydantic import TypeAdapter

from whisper_transcriber.domain.job import Claim, Failure, Job, JobRequest, NewJob, Queue
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.outlook import Outlook
from whisper_transcriber.domain.outputs import Output
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.webhooks import Webhook
from whisper_transcriber.store.port import AGEING_SECONDS, Filters


class Row(Protocol):
    """A row by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


_WEBHOOK: Final = TypeAdapter(Webhook)
_OUTPUT: Final = TypeAdapter(Output)
# Columns that a Job has by the same name.
_SAME = (
    "id",
    "status",
    "created_at",
    "tenant",
    "reused_from",
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
    "parts",
    "parts_done",
    "opened",
    "started_at",
    "finished_at",
    "traceparent",
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
    metadata = json.loads(row["metadata"])
    webhook = _WEBHOOK.validate_json(row["webhook"]) if row["webhook"] else None
    output = _OUTPUT.validate_json(row["output"]) if row["output"] else None
    same = {name: row[name] for name in _SAME}
    return Job(request=request, failure=failure, metadata=metadata, webhook=webhook, output=output, **same)


def claim_of(row: Row, worker: str) -> Claim:
    """The claim in a row of `claim.sql`."""
    part = None if row["part"] is None else part_of(row)
    return Claim(job_of(row), row["claim_attempt"], worker, row["claim_failures"], part)


def part_of(row: Row) -> Part:
    """The part in a row of `SELECT part, start_seconds, end_seconds`."""
    return Part(row["part"], row["start_seconds"], row["end_seconds"])


def queue_of(row: Row) -> Queue:
    """The row of `queue.sql`."""
    return Queue(
        queued=row["queued"],
        running=row["running"],
        oldest_seconds=float(row["oldest"]),
        backlog_seconds=row["backlog"],
        in_flight_seconds=row["in_flight"],
        unopened=row["unopened"],
        claimable=int(row["claimable"]),
        claimed=row["claimed"],
    )


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
        json.dumps(dict(new.metadata)),
        new.api_key,
        new.reused_from,
        _WEBHOOK.dump_json(new.webhook).decode() if new.webhook else None,
        new.traceparent,
        _OUTPUT.dump_json(new.output).decode() if new.output else None,
        min(new.seeming_seconds, AGEING_SECONDS),
    )


def filter_row(filters: Filters) -> tuple[Any, ...]:
    """The arguments of `list.sql` after the first two."""
    metadata = json.dumps(dict(filters.metadata)) if filters.metadata else None
    return (
        filters.tenant,
        filters.status,
        filters.model,
        filters.created_after,
        filters.created_before,
        metadata,
    )


def outlook_of(row: Row) -> Outlook:
    """The row of `outlook.sql`."""
    return Outlook(row["ahead"], row["ahead_seconds"], row["typical_seconds"], row["rate"])
