"""What the store in memory keeps of a job; in which order claims are given, and how much waits: as `sql/` has it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from whisper_transcriber.domain.job import Claim, Job, Queue
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.store.port import AGEING_SECONDS, PACE_HALF_SECONDS, PACE_SECONDS, UNKNOWN_SECONDS

NOBODY = float("-inf")
ASKED = ("webhook", "traceparent", "output")  # of a NewJob, and kept by its Job under these names


@dataclass
class PartRow:
    """One part and the claim on it."""

    part: Part
    status: Literal["queued", "running", "done"] = "queued"
    attempt: int = 0
    failures: int = 0
    processed: float = 0.0
    lease_until: float = 0.0
    claimed_at: datetime | None = None
    worker: str = ""

    @property
    def left(self) -> float:
        """Seconds of audio still to do."""
        return self.part.seconds - self.processed

    def claimable(self, now: float) -> bool:
        """Whether nobody has it, or only a worker that fell silent."""
        return self.status == "queued" or (self.status == "running" and self.lease_until < now)


@dataclass
class Row:
    """One job, the claim on it, its parts, the windows done. `lease_until` None: nothing is to claim but parts."""

    job: Job
    order: int
    key: str | None
    synchronous: bool = False
    api_key: UUID | None = None
    lease_until: float | None = None
    windows: dict[tuple[int, int], str] = field(default_factory=dict)
    parts: dict[int, PartRow] = field(default_factory=dict)
    waiters: int = 1
    seeming_seconds: float = 0.0

    def park(self, now: datetime) -> None:
        """Take it out of everybody's hands; what was done is kept."""
        for part in self.open_parts:
            if part.status == "running":
                part.status, part.attempt = "queued", part.attempt + 1
        # Who opens or closes a long file can go on at once; a short one is queued again.
        self.lease_until = NOBODY if self.parts and self.lease_until is not None else None
        self.change(status="parked", attempt=self.job.attempt + 1, finished_at=now)

    worker: str = ""

    def change(self, **fields: object) -> Job:
        """Replace fields of the job."""
        self.job = replace(self.job, **fields)  # type: ignore[arg-type]
        return self.job

    @property
    def left(self) -> float:
        """Seconds of audio still to do, as far as is known."""
        recorded = max((row.part.end for row in self.parts.values()), default=0.0)
        known = recorded if self.job.audio_seconds is None else self.job.audio_seconds
        return max(known - self.job.processed_seconds, 0.0)

    @property
    def open_parts(self) -> list[PartRow]:
        """The parts in order, if the job still runs."""
        return [self.parts[number] for number in sorted(self.parts)] if self.job.status == "running" else []

    def claimable(self, now: float) -> bool:
        """Whether the job itself waits for somebody."""
        lapsed = self.job.status == "running" and self.lease_until is not None and self.lease_until < now
        return self.job.status == "queued" or lapsed

    def held(self, claim: Claim) -> "Row | PartRow | None":
        """What is claimed, the job itself or one part, if that attempt still has it."""
        if self.job.status != "running":
            return None
        if claim.part is None:
            return self if self.job.attempt == claim.attempt else None
        part = self.parts[claim.part.number]
        return part if part.status == "running" and part.attempt == claim.attempt else None

    def due(self, part: PartRow | None) -> datetime:
        """When it is the turn of the job, or of its next part."""
        if part is None:
            longer = self.seeming_seconds if self.job.audio_seconds is None else self.job.audio_seconds
            return self.job.created_at + timedelta(seconds=min(longer, AGEING_SECONDS))
        longer = AGEING_SECONDS if self.job.audio_seconds is None else self.job.audio_seconds
        turns = [row.claimed_at for row in self.parts.values() if row.claimed_at is not None]
        return max([self.job.created_at, *turns]) + timedelta(seconds=min(longer, AGEING_SECONDS))


def loads(rows: Iterable[Row]) -> dict[str, float]:
    """Seconds of audio that each tenant has in workers' hands."""
    load: dict[str, float] = {}
    for row in rows:
        held = sum(part.left for part in row.open_parts if part.status == "running")
        if row.job.status == "running" and not row.parts:
            known = UNKNOWN_SECONDS if row.job.audio_seconds is None else row.job.audio_seconds
            held = max(known - row.job.processed_seconds, 0.0)
        load[row.job.tenant] = load.get(row.job.tenant, 0.0) + held
    return load


def next_claim(
    rows: Iterable[Row], now: float, parts: bool, longest: float | None
) -> tuple[Row, PartRow | None] | None:
    """What is claimed next, of what is asked for: a job, or a part of it; None if nothing waits."""
    rows = list(rows)
    load = loads(rows)

    def rank(found: tuple[Row, PartRow | None]) -> tuple[object, ...]:
        row, part = found
        number = -1 if part is None else part.part.number
        return (-row.job.request.priority, load[row.job.tenant], row.due(part), row.order, number)

    return min(_claimable(rows, now, parts, longest), key=rank, default=None)


def measured(jobs: Sequence[Row], now: float, at: datetime) -> Queue:
    """How much waits and is worked on, of jobs that have not ended; `now` and `at` are the same time."""
    queued = [row.job for row in jobs if row.job.status == "queued"]
    parts = {row.job.id: [part for part in row.open_parts if part.claimable(now)] for row in jobs}
    waiting = {row.job.id: sum(part.left for part in parts[row.job.id]) for row in jobs}
    free, busy = [row for row in jobs if row.claimable(now)], [row for row in jobs if not row.claimable(now)]
    held = [part for row in jobs for part in row.open_parts if part.status == "running" and not part.claimable(now)]
    return Queue(
        queued=len(queued),
        running=len(jobs) - len(queued),
        oldest_seconds=(at - min((job.created_at for job in queued), default=at)).total_seconds(),
        backlog_seconds=sum(max(row.left, waiting[row.job.id]) for row in free)
        + sum(waiting[row.job.id] for row in busy),
        in_flight_seconds=sum(max(row.left - waiting[row.job.id], 0.0) for row in busy),
        unopened=sum(job.audio_seconds is None for job in queued),
        claimable=len(free) + sum(map(len, parts.values())),
        claimed=len(held) + sum(row.lease_until is not None for row in busy),
    )


def busy(rows: Iterable[Row], now: float) -> dict[str, int]:
    """How many claims each worker holds."""
    running = [row for row in rows if row.job.status == "running"]
    jobs = [row.worker for row in running if row.lease_until is not None and row.lease_until >= now]
    parts = [part for row in running for part in row.open_parts if part.status == "running"]
    return dict(sorted(Counter([*jobs, *(part.worker for part in parts if part.lease_until >= now)]).items()))


def factor(paces: Iterable[tuple[float, float, float]], now: float) -> float | None:
    """Seconds at work for each second of audio, from (at work, of audio, when); the newest count most."""
    known = [pace for pace in paces if now - pace[2] <= PACE_SECONDS]
    weights = [0.5 ** ((now - at) / PACE_HALF_SECONDS) for _, _, at in known]
    audio = sum(weight * pace[1] for weight, pace in zip(weights, known, strict=True))
    return sum(weight * pace[0] for weight, pace in zip(weights, known, strict=True)) / audio if audio else None


def _claimable(
    rows: Iterable[Row], now: float, parts: bool, longest: float | None
) -> Iterator[tuple[Row, PartRow | None]]:
    for row in rows:
        short = longest is None or row.job.complete or (not row.parts and (row.job.audio_seconds or 0.0) <= longest)
        if short and row.claimable(now):
            yield row, None
        if parts:
            yield from ((row, part) for part in row.open_parts if part.claimable(now))
