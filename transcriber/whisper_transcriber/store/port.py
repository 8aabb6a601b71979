"""What the service needs of its store of jobs. Every method may raise `Unavailable`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from whisper_transcriber.domain.job import Claim, Failure, Job, NewJob, Queue, Status
from whisper_transcriber.domain.transcript import WindowResult


class Unavailable(Exception):
    """The store does not answer now; the same call may work later."""


class IdempotencyMismatch(Exception):
    """The key already stands for another request. The user must choose another key."""


class StaleClaim(Exception):
    """The job is no longer this attempt's: it was cancelled, deleted, or another worker has it. Drop the work."""


@dataclass(frozen=True)
class Facts:
    """What a worker has learnt about a job; None leaves what is known."""

    model_digest: str | None = None
    engine: str | None = None
    audio_seconds: float | None = None
    windows_total: int | None = None


class Store(Protocol):
    """Jobs, claims on them, and the windows done so far. Leases are seconds of the store's own clock."""

    async def migrate(self) -> Sequence[str]:
        """Bring the schema up to date; returns the names of the migrations that were applied."""

    async def ready(self) -> None:
        """Return if jobs can be recorded now; raises Unavailable, saying why, if not."""

    async def begin_upload(self, job: UUID) -> None:
        """Note that objects of a job are about to be written; `create` with its id, or `delete`, ends that."""

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        """Record a job. Returns it and True, or the job that its idempotency key stands for already and False.

        Raises:
            IdempotencyMismatch: the key stands for another request.
        """

    async def get(self, job: UUID) -> Job | None:
        """The job as it stands."""

    async def list(self, limit: int, after: UUID | None = None, status: Status | None = None) -> Sequence[Job]:
        """At most `limit` jobs, newest first, those that follow the job `after`."""

    async def claim(self, worker: str, lease: float) -> Claim | None:
        """Take the next job: highest priority, then oldest; among them those whose worker fell silent."""

    async def renew(self, claim: Claim, lease: float) -> None:
        """Hold on to the claim for another `lease` seconds. Raises StaleClaim."""

    async def learn(self, claim: Claim, facts: Facts) -> None:
        """Record what the worker found out. Raises StaleClaim."""

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        """Record finished windows and renew the claim, all or nothing. Raises StaleClaim."""

    async def windows(self, job: UUID) -> Sequence[WindowResult]:
        """The windows done so far, in order."""

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        """Close the claim: the result is in the object store. Raises StaleClaim."""

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        """Close the claim: the job cannot be done. Raises StaleClaim."""

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        """Let any worker claim the job at once; `failed` counts against the job. Raises StaleClaim."""

    async def cancel(self, job: UUID) -> Job | None:
        """Cancel a job that has not ended, at once: its worker's next write is refused. Returns it as it stands."""

    async def abandoned(self, upload: float, synchronous: float) -> Sequence[UUID]:
        """What nobody will ask for again, because the process that would have deleted it is dead.

        Uploads begun more than `upload` seconds ago whose job was never recorded, and synchronous jobs that ended more
        than `synchronous` seconds ago.
        """

    async def delete(self, job: UUID) -> bool:
        """Forget the job, its windows, and that its upload was begun; False if there is no such job."""

    async def queue(self) -> Queue:
        """How much waits."""

    async def close(self) -> None:
        """Let go of connections."""
