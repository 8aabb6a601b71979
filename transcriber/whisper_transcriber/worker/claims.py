"""Taking the next claim, without taking over from oneself."""

import time
from collections.abc import Iterable
from contextlib import suppress

from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Claim
from whisper_transcriber.logs import Log
from whisper_transcriber.store.port import StaleClaim, Unavailable
from whisper_transcriber.worker.desk import Desk

log = Log(__name__)


class Claims:
    """This worker's way to its next claim."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._renewed = 0.0  # monotonic

    async def next(self, held: Iterable[Claim], desk: Desk) -> Claim | None:
        """The next claim that there is room for on the desk, None if there is none or the store is away.

        While the store was away the leases of what is `held` may have run out: those jobs would be given to us a second
        time, and what we do at them would be lost. So they are renewed first.
        """
        settings, store = self._deps.settings, self._deps.store
        now = time.monotonic()
        try:
            if now - self._renewed > settings.claim_lease_seconds / 2:
                for claim in held:
                    with suppress(StaleClaim):
                        await store.renew(claim, settings.claim_lease_seconds)
                self._renewed = now
            parts, longest = desk.most(settings)
            return await store.claim(settings.worker_id, settings.claim_lease_seconds, parts=parts, longest=longest)
        except Unavailable as error:
            log.warning("Could not look for jobs, looking again", reason=str(error))
            return None
