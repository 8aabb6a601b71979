"""What the service needs of its store of jobs. Every method may raise `Unavailable`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from whisper_transcriber.domain.demand import Team
from whisper_transcriber.domain.job import DEFAULT_TENANT, Claim, Failure, Job, NewJob, Queue, Status
from whisper_transcriber.domain.outlook import Outlook
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.store.batches import Batches
from whisper_transcriber.store.files import Files
from whisper_transcriber.store.hooks import Hooks
from whisper_transcriber.store.keys import Keys

AGEING_SECONDS: Final = 300.0
"""Who has waited so much longer goes before whoever is shorter, however short."""

UNKNOWN_SECONDS: Final = 30.0
"""What a job in a worker's hands weighs in its tenant's share while nobody knows how long its audio is."""


PACE_HALF_SECONDS: Final = 900.0
"""After so long a worker's word about its pace counts half."""

PACE_SECONDS: Final = 7 * 86400.0
"""So long a worker's pace is remembered, so that a service without workers knows how fast they were."""


class Unavailable(Exception):
    """The store does not answer now; the same call may work later. `word`: what everybody may be told of it."""

    def __init__(self, message: str = "", word: str = "unavailable") -> None:
        super().__init__(message)
        self.word = word


class IdempotencyMismatch(Exception):
    """The key already stands for another request. The user must choose another key."""


class StaleClaim(Exception):
    """What was claimed is no longer this attempt's: the job has ended, or another worker has it. Drop the work."""


@dataclass(frozen=True)
class Facts:
    """What a worker has learnt about a job; None leaves what is known."""

    model_digest: str | None = None
    engine: str | None = None
    audio_seconds: float | None = None
    windows_total: int | None = None


@dataclass(frozen=True)
class Filters:
    """Which jobs of a tenant: None asks for any; `created_before` itself is not in; all of `metadata` must be there."""

    tenant: str = DEFAULT_TENANT
    status: Status | None = None
    model: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


EVERYTHING: Final = Filters()
"""All jobs of the default tenant."""


class Store(Protocol):
    """Jobs, claims on them, and the windows done so far. Leases are seconds of the store's own clock."""

    @property
    def keys(self) -> Keys:
        """API keys, and what belongs to tenants."""

    @property
    def files(self) -> Files:
        """Uploads that are sent in pieces."""

    @property
    def hooks(self) -> Hooks:
        """Deliveries of webhooks: made with the end of their job, gone with it."""

    @property
    def batches(self) -> Batches:
        """Batches of requests, each of which becomes a job."""

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

    async def join(self, new: NewJob) -> tuple[Job, bool]:
        """Wait for a synchronous job: the one that its idempotency key stands for, and False; else it is made, True.

        One that was parked goes on; one that failed is left to those who wait for it, and made anew.
        """

    async def leave(self, job: UUID) -> int:
        """Wait no longer for a synchronous job; returns how many others do.

        If none do and it has not ended, it is parked: what its workers would write is refused, what they have recorded
        is kept.
        """

    async def unname(self, job: UUID) -> bool:
        """Let nobody join a job any more, so that it can be deleted; False if somebody waits for it, or it is gone."""

    async def get(self, job: UUID) -> Job | None:
        """The job as it stands."""

    async def find(self, jobs: Collection[UUID]) -> Mapping[UUID, Job]:
        """Those of the jobs that there are, as they stand at one moment."""

    async def list(self, limit: int, after: UUID | None = None, filters: Filters = EVERYTHING) -> Sequence[Job]:
        """At most `limit` jobs, newest first, those that follow the job `after`."""

    async def outlook(self, job: UUID) -> Outlook | None:
        """What waits before a job and how fast the service is; None if there is no such job."""

    async def reusable(self, tenant: str, fingerprint: str) -> Job | None:
        """The newest job of a tenant that succeeded at the same request, with the weights that its model has now."""

    async def change(
        self, job: UUID, *, priority: int | None = None, metadata: Mapping[str, str] | None = None
    ) -> Job | None:
        """Change what may be changed of a job; None leaves it as it is. Returns the job as it stands."""

    async def retry(self, job: UUID) -> Job | None:
        """Queue a job anew that has failed or was cancelled; others stay. Returns it as it stands."""

    async def claim(
        self, worker: str, lease: float, *, parts: bool = True, longest: float | None = None
    ) -> Claim | None:
        """Take what is next: a job nobody has opened, one part of a long one, or the end of one whose parts are done.

        The highest priority first; then the tenant that has the least audio in workers' hands; then whoever is due. A
        job is due the later the longer it is, by as many seconds, but `AGEING_SECONDS` at most; till it is opened, the
        longer it seems (`NewJob.seeming_seconds`). A long file with parts is due anew after each claim: so what is
        shorter does not wait for its other parts. What a silent worker held is claimed again, and counts a failure.

        A worker leaves to others what it has enough of in hand: `parts`, or the opening of jobs that are known to be
        longer than `longest` seconds.
        """

    async def renew(self, claim: Claim, lease: float) -> None:
        """Hold on to the claim for another `lease` seconds. Raises StaleClaim."""

    async def add_part(self, claim: Claim, part: Part, lease: float) -> None:
        """Record a part whose object is written, claimable at once, and renew the opening claim. Raises StaleClaim.

        One that is there already stays as it is.
        """

    async def parts(self, job: UUID) -> Sequence[Part]:
        """The parts recorded so far, in order, and which are done; none of a short file, or one that has ended."""

    async def opened(self, claim: Claim, audio_seconds: float, lease: float) -> Claim | None:
        """End the opening of a file that has parts. Returns one to close it if they are done. Raises StaleClaim."""

    async def finish_part(self, claim: Claim, lease: float) -> Claim | None:
        """End the claim on a part that is done.

        Returns the claim to close the job if all are; it runs out like any other. Raises StaleClaim.
        """

    async def learn(self, claim: Claim, facts: Facts) -> None:
        """Record what the opening worker found out. Raises StaleClaim."""

    async def checkpoint(self, claim: Claim, results: Sequence[WindowResult], lease: float) -> None:
        """Record finished windows and renew the claim, all or nothing. Raises StaleClaim."""

    async def windows(self, job: UUID, part: int | None = None) -> Sequence[WindowResult]:
        """The windows done so far, in order: of one part, or of all. Those of a file without parts are in part 0."""

    async def succeed(self, claim: Claim, language: str, audio_seconds: float) -> Job:
        """Close the claim: the result is in the object store. Raises StaleClaim."""

    async def fail(self, claim: Claim, failure: Failure) -> Job:
        """Close the claim: the job cannot be done, nor any part of it. Raises StaleClaim."""

    async def hand_back(self, claim: Claim, *, failed: bool) -> None:
        """Let any worker claim the same at once; `failed` counts against it. Raises StaleClaim."""

    async def cancel(self, job: UUID) -> Job | None:
        """Cancel a job that has not ended, at once: its worker's next write is refused. Returns it as it stands."""

    async def abandoned(self, upload: float, synchronous: float, kept: float | None = None) -> Sequence[UUID]:
        """What nobody will ask for again, because whoever would delete it is dead; and what was kept long enough.

        Uploads begun more than `upload` seconds ago whose job was never recorded, and synchronous jobs that ended more
        than `synchronous` seconds ago. Other jobs that ended more than `kept` seconds ago, or than their tenant says.
        """

    async def delete(self, job: UUID) -> bool:
        """Forget the job, its parts and windows, and that its upload was begun; False if there is no such job."""

    async def queue(self) -> Queue:
        """How much waits, and how much is being worked on."""

    async def pace(self, worker: str, busy: float, audio: float) -> None:
        """A worker was busy for so many seconds, and did so many seconds of audio in them."""

    async def team(self) -> Team:
        """How fast workers have been, the newest words counting most, and who is busy."""

    async def close(self) -> None:
        """Let go of connections."""
