"""Batches: many requests in one file, each of them a job. How far one is, and what comes next. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID, uuid5

from whisper_transcriber.domain.files import Segment
from whisper_transcriber.domain.job import Job, JobRequest
from whisper_transcriber.domain.options import Options, Task

BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
Endpoint = Literal["/v1/audio/transcriptions", "/v1/audio/translations"]
Outcome = Literal["pending", "completed", "failed"]
Stop = Literal["batch_cancelled", "batch_expired"]
TASKS: Final[Mapping[Endpoint, Task]] = dict(zip(get_args(Endpoint), get_args(Task), strict=True))
ENDED: Final[frozenset[BatchStatus]] = frozenset({"failed", "completed", "expired", "cancelled"})
BATCHES: Final = "batches/"
PREFIX: Final = "batch_"

PRIORITY: Final = -50
"""Of a batch's jobs: whatever names no priority goes first."""

WINDOW_SECONDS: Final = 86400.0
"""The completion window of 24 hours; what is not done by then is given up."""

CHUNK: Final = 100
"""Lines that are kept, and written, together."""

PROBLEMS: Final = 100
"""The most problems that are told of a file."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file of requests; `line` counts from 1, `param` is the field."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a line's job could not be made, as an answer over HTTP would have said it."""

    status: int
    code: str | None
    message: str
    param: str | None = None


@dataclass(frozen=True)
class Line:
    """A request of a batch, understood; its audio is behind the request's URL, or in the file `upload`."""

    custom_id: str
    request: JobRequest
    format: str
    granularities: tuple[str, ...]
    upload: UUID | None = None

    def to_dict(self) -> dict[str, Any]:
        """The line as JSON has it."""
        request = {"model": self.request.model, "options": self.request.options.to_dict()}
        return {
            "custom_id": self.custom_id,
            "request": request | {"url": self.request.source_url},
            "format": self.format,
            "granularities": list(self.granularities),
            "upload": None if self.upload is None else str(self.upload),
        }

    @staticmethod
    def from_dict(said: Mapping[str, Any]) -> "Line":
        """The line that `to_dict` made."""
        told = said["request"]
        request = JobRequest(told["model"], Options.from_dict(told["options"]), PRIORITY, told["url"])
        upload = UUID(said["upload"]) if said["upload"] else None
        return Line(said["custom_id"], request, said["format"], tuple(said["granularities"]), upload)


@dataclass(frozen=True)
class Batch:
    """A batch as recorded. Times are aware datetimes; lines count from 0.

    The lines before `written` are in the output or the errors. Those before `made` have a job, unless they are in
    `refused`, or it was deleted; of those before `reserved` one may be made at this moment. `completed` and `failed`
    are what was known last. `fence` counts claims.
    """

    id: UUID
    tenant: str
    endpoint: Endpoint
    input_file: UUID
    created_at: datetime
    expires_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    api_key: UUID | None = None
    output_seconds: int | None = None
    recorded: BatchStatus = "validating"
    total: int = 0
    reserved: int = 0
    made: int = 0
    written: int = 0
    completed: int = 0
    failed: int = 0
    written_completed: int = 0
    written_failed: int = 0
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    output: tuple[Segment, ...] = ()
    errors: tuple[Segment, ...] = ()
    problems: tuple[Problem, ...] = ()
    in_progress_at: datetime | None = None
    finalizing_at: datetime | None = None
    expired_at: datetime | None = None
    ended_at: datetime | None = None
    cancelling_at: datetime | None = None
    fence: int = 0

    @property
    def name(self) -> str:
        """What clients call it."""
        return f"{PREFIX}{self.id.hex}"

    @property
    def ended(self) -> bool:
        """Whether nothing about it will change any more."""
        return self.recorded in ENDED

    @property
    def status(self) -> BatchStatus:
        """Where it stands."""
        return "cancelling" if self.cancelling_at and not self.ended else self.recorded

    @property
    def stopped(self) -> Stop | None:
        """Why lines that are not done are given up, if they are."""
        if self.cancelling_at is not None:
            return "batch_cancelled"
        return "batch_expired" if self.expired_at is not None else None

    @property
    def output_file(self) -> UUID:
        """The file with the answers of the lines that were done."""
        return uuid5(self.id, "output")

    @property
    def error_file(self) -> UUID:
        """The file with what became of the others."""
        return uuid5(self.id, "errors")

    def job(self, line: int) -> UUID:
        """The job of a line, always the same: so a line never has two."""
        return uuid5(self.id, str(line))

    def key(self, line: int) -> str:
        """The job's idempotency key. No header can hold it, so no client's key is like it."""
        return f"\n{self.name}:{line}"


def room(batch: Batch, ahead: int) -> int:
    """How many lines may be given a job now, where `ahead` may be at work at once."""
    if batch.stopped or batch.made < batch.reserved:
        return 0
    return max(0, min(batch.total - batch.reserved, ahead - (batch.reserved - batch.written)))


def outcomes(batch: Batch, jobs: Mapping[UUID, Job]) -> Sequence[Outcome]:
    """What became of the lines from `written` on; `jobs` are those there are of them. Lines without a job are left out,
    unless the batch has stopped: nothing will come of them."""
    found: list[Outcome] = [_outcome(jobs.get(batch.job(line))) for line in range(batch.written, batch.made)]
    rest: list[Outcome] = ["failed"] * (batch.total - batch.made) if batch.stopped else []
    return [*found, *rest]


def _outcome(job: Job | None) -> Outcome:
    if job is None:
        return "failed"
    if not job.ended:
        return "pending"
    return "completed" if job.status == "succeeded" else "failed"


def ripe(batch: Batch, known: Sequence[Outcome], ahead: int) -> int:
    """How many lines are to be written now: in order, some together, and whatever is left at the end."""
    done = next((place for place, outcome in enumerate(known) if outcome == "pending"), len(known))
    enough = min(CHUNK, max(1, ahead // 2), batch.total - batch.written)
    return min(done, CHUNK) if done >= enough else 0


def counted(batch: Batch, known: Sequence[Outcome]) -> Batch:
    """The batch with what is known of its lines."""
    completed, failed = known.count("completed"), known.count("failed")
    return replace(batch, completed=batch.written_completed + completed, failed=batch.written_failed + failed)


def written(batch: Batch, completed: int, failed: int, output: Segment | None, errors: Segment | None) -> Batch:
    """The batch after its next lines were written: so many of each, in these segments."""
    end = batch.written + completed + failed
    return replace(
        batch,
        written=end,
        made=max(batch.made, end),
        reserved=max(batch.reserved, end),
        written_completed=batch.written_completed + completed,
        written_failed=batch.written_failed + failed,
        refused={line: refusal for line, refusal in batch.refused.items() if line >= end},
        output=batch.output + ((output,) if output else ()),
        errors=batch.errors + ((errors,) if errors else ()),
    )


def checked(batch: Batch, total: int, problems: Sequence[Problem], now: datetime) -> Batch:
    """The batch after its file was read: it goes on with so many lines, or has failed."""
    if problems:
        return replace(batch, recorded="failed", problems=tuple(problems[:PROBLEMS]), ended_at=now)
    return replace(batch, recorded="in_progress", total=total, in_progress_at=now)


def late(batch: Batch, now: datetime) -> Batch:
    """The batch, given up if its time is over."""
    begun = batch.recorded in ("validating", "in_progress")
    return replace(batch, expired_at=now) if begun and not batch.stopped and now >= batch.expires_at else batch


def finalizing(batch: Batch, now: datetime) -> Batch:
    """The batch once all of its lines are written."""
    known = replace(batch, completed=batch.written_completed, failed=batch.written_failed)
    return replace(known, recorded="finalizing", finalizing_at=batch.finalizing_at or now)


def over(batch: Batch, now: datetime) -> Batch:
    """The batch at its end; only one that never began has nothing written."""
    how: Mapping[Stop | None, BatchStatus] = {"batch_cancelled": "cancelled", "batch_expired": "expired"}
    return replace(batch, recorded=how.get(batch.stopped, "completed"), ended_at=now)


def batch_folder(batch: UUID) -> str:
    """Where the lines of a batch lie while it runs, with the closing slash."""
    return f"{BATCHES}{batch}/"


def chunk_key(batch: UUID, number: int) -> str:
    """The object that holds the lines from `number` times `CHUNK` on."""
    return f"{batch_folder(batch)}{number}"
