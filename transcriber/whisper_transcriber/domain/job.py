"""A transcription job: what was asked, where it stands. Frozen values and pure functions only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.outputs import Output
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.webhooks import Webhook

Status = Literal["queued", "running", "parked", "succeeded", "failed", "cancelled"]
ErrorCode = Literal[
    "invalid_audio", "audio_too_long", "fetch_failed", "unsupported_option", "model_unavailable", "internal_error"
]
Kind = Literal["open", "part", "close"]
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})
DEFAULT_TENANT = "default"
JOBS = "jobs/"
UNCOMPRESSED = 32_000.0
"""Bytes of a second of audio at 16 kHz with 16 bits."""


@dataclass(frozen=True)
class JobRequest:
    """What somebody asked for. Exactly one source: `source_url`, or an upload whose bytes hash to `sha256`."""

    model: str
    options: Options = field(default_factory=Options)
    priority: int = 0
    source_url: str | None = None
    sha256: str | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests (hex). The priority is left out: it is how soon, not what."""
        what = {"model": self.model, "options": self.options.to_dict(), "url": self.source_url, "sha256": self.sha256}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class NewJob:
    """A job about to be recorded. The same key in the same tenant stands for the same request for ever.

    A `synchronous` job belongs to the requests that wait for it: nobody asks for it once they are over. When their
    clients go away before its end it is parked: nobody works at it until one asks for the same again. `api_key` is
    what it is counted against. `reused_from` is a job that succeeded, whose result was copied: then this one is done.
    `webhook` is told of its end, and its result is written to `output` besides. `traceparent` (W3C) is the request that
    made it, for those who trace it. `size`: bytes of its upload, which say how long it seems before anybody opens it.
    """

    id: UUID
    request: JobRequest
    idempotency_key: str | None = None
    tenant: str = DEFAULT_TENANT
    synchronous: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    api_key: UUID | None = None
    reused_from: UUID | None = None
    webhook: Webhook | None = None
    traceparent: str | None = None
    output: Output | None = None
    size: int | None = None

    @property
    def seeming_seconds(self) -> float:
        """How long its audio would be if it were not compressed (16 kHz, 16 bits, mono); 0 if nothing is known."""
        return (self.size or 0) / UNCOMPRESSED


@dataclass(frozen=True)
class Failure:
    """Why a job failed: a code for programs and a sentence for people (never a transcript, never a secret)."""

    code: ErrorCode
    message: str


@dataclass(frozen=True)
class Job:
    """A job as recorded. Times are aware datetimes of the store's clock; durations are seconds of audio.

    A short file has no `parts`. Those of a long one are recorded while it is opened; once `opened`, all are there.
    """

    id: UUID
    request: JobRequest
    status: Status
    created_at: datetime
    tenant: str = DEFAULT_TENANT
    metadata: Mapping[str, str] = field(default_factory=dict)
    reused_from: UUID | None = None
    attempt: int = 0
    failures: int = 0
    model_digest: str | None = None
    engine: str | None = None
    language: str | None = None
    audio_seconds: float | None = None
    processed_seconds: float = 0.0
    windows_done: int = 0
    windows_total: int | None = None
    windows_repeated: int = 0
    parts: int = 0
    parts_done: int = 0
    opened: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: Failure | None = None
    webhook: Webhook | None = None
    traceparent: str | None = None
    output: Output | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing about this job will change any more."""
        return self.status in ENDED

    @property
    def complete(self) -> bool:
        """Whether all parts of a long file are done, so that only the closing is left."""
        return self.opened and self.parts_done == self.parts

    @property
    def progress(self) -> int:
        """Whole percent of the audio done; 100 only once the result is recorded."""
        if self.status == "succeeded":
            return 100
        if not self.audio_seconds:
            return 0
        return int(100 * min(0.99, self.processed_seconds / self.audio_seconds))

    @property
    def real_time_factor(self) -> float | None:
        """Wall seconds from the first claim to the end, per second of audio; None until it has succeeded."""
        if self.status != "succeeded" or not self.audio_seconds or not self.started_at or not self.finished_at:
            return None
        return (self.finished_at - self.started_at).total_seconds() / self.audio_seconds


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job, or on one part of it. `attempt` fences it: whatever an older attempt writes is refused.

    `failures` counts the attempts in a row at the same thing that brought no window.
    """

    job: Job
    attempt: int
    worker: str
    failures: int = 0
    part: Part | None = None

    @property
    def kind(self) -> Kind:
        """What there is to do: the first touch of a job, one part of it, or the end of one whose parts are all done."""
        if self.part is not None:
            return "part"
        return "close" if self.job.complete else "open"

    @property
    def key(self) -> tuple[UUID, int | None]:
        """What is claimed: the job, or the number of one part of it."""
        return self.job.id, None if self.part is None else self.part.number

    def __str__(self) -> str:
        what = f"part {self.part.number} of job" if self.part is not None else "job"
        return f"attempt {self.attempt} of {what} {self.job.id}"


@dataclass(frozen=True)
class Queue:
    """How much waits: jobs by state, and how long (s) the oldest queued one has waited; and what a scaler asks.

    `backlog_seconds` of audio are claimable, `in_flight_seconds` are still to do in claims that are held. `unopened`
    jobs are queued and nobody knows yet how long they are: they are in neither. `claimable` is how many workers could
    claim something now, `claimed` how many claims are held.
    """

    queued: int
    running: int
    oldest_seconds: float
    backlog_seconds: float = 0.0
    in_flight_seconds: float = 0.0
    unopened: int = 0
    claimable: int = 0
    claimed: int = 0


def folder(job: UUID) -> str:
    """Where all objects of a job lie, with the closing slash."""
    return f"{JOBS}{job}/"


def audio_key(job: UUID) -> str:
    """The object that holds a job's audio, as it was sent."""
    return f"{folder(job)}audio"


def result_key(job: UUID) -> str:
    """The object that holds a finished job's transcript (JSON)."""
    return f"{folder(job)}result.json"


def parts_folder(job: UUID) -> str:
    """Where the audio of a job's parts lies while it runs, with the closing slash."""
    return f"{folder(job)}parts/"


def part_key(job: UUID, number: int) -> str:
    """The object that holds the audio of one part of a job: 16 kHz mono, signed 16 bit, little endian."""
    return f"{parts_folder(job)}{number}"
