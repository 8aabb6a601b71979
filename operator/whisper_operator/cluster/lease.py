"""Leadership by a Lease: at most one operator acts.

The client's own `leaderelection` has no deadline on its calls: a call that hangs for minutes would leave two leaders.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from whisper_operator.cluster.port import LEASE, Cluster
from whisper_operator.errors import Conflict, Rejected, Transient
from whisper_operator.logs import Log

log = Log(__name__)


class Lease:
    """One candidate. All durations are seconds; others' clocks are never compared with ours.

    `duration`: how long a leader's word holds after its last renewal. `deadline`: how long a leader that cannot renew
    goes on, less than `duration`, so that it has stopped before another one starts. `retry`: the time between tries.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration: float = 8.0,
        deadline: float = 5.0,
        retry: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holding = False
        self.seen: float | None = None
        self._cluster, self._namespace, self._name, self._identity = cluster, namespace, name, identity
        self._duration, self._deadline, self._retry, self._clock = duration, deadline, retry, clock
        self._record: Any = None
        self._changed = 0.0

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        self.holding = await self._attempt(self._deadline)
        while not self.holding:
            await asyncio.sleep(self._retry)
            self.holding = await self._attempt(self._deadline)
        log.info("Took the lead", identity=self._identity)

    async def keep(self) -> None:
        """Renew until that fails for `deadline` seconds or another one has the Lease; then return."""
        renewed = self._clock()
        while (left := renewed + self._deadline - self._clock()) > 0:
            await asyncio.sleep(min(self._retry, left))
            asked = self._clock()
            if await self._attempt(max(0.1, renewed + self._deadline - asked)):
                renewed = asked
            elif self._record and self._record[0] not in (self._identity, ""):
                break
        self.holding = False

    async def release(self) -> None:
        """Let another one take over at once. Best effort: without it they wait `duration` seconds."""
        if not self.holding:
            return
        self.holding = False
        try:
            async with asyncio.timeout(self._deadline):
                live = await self._cluster.get(LEASE, self._namespace, self._name)
                if live and live["spec"].get("holderIdentity") == self._identity:
                    spec = {**live["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
                    await self._cluster.replace({**live, "spec": spec})
                    log.info("Gave the lead back", identity=self._identity)
        except (Transient, Rejected, TimeoutError) as error:
            log.warning("Could not give the lead back", error=repr(error))

    async def _attempt(self, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                return await self._take()
        except Conflict:
            return False  # another one was faster
        except (Transient, Rejected, TimeoutError) as error:
            log.warning("Could not ask for the Lease", lease=self._name, error=repr(error))
            return False

    async def _take(self) -> bool:
        live = await self._cluster.get(LEASE, self._namespace, self._name)
        self.seen = self._clock()
        spec: dict[str, Any] = dict((live or {}).get("spec") or {})
        holder = spec.get("holderIdentity") or ""
        record = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._record:
            self._record, self._changed = record, self._clock()
        fresh = self._clock() < self._changed + float(spec.get("leaseDurationSeconds") or 0)
        if holder not in ("", self._identity) and fresh:
            return False
        taken = holder != self._identity
        now = _now()
        spec |= {"holderIdentity": self._identity, "leaseDurationSeconds": int(self._duration), "renewTime": now}
        if taken:
            spec |= {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}
        if live is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            manifest = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
            await self._cluster.create(manifest)
        else:
            await self._cluster.replace({**live, "spec": spec})
        self._record = (self._identity, now, spec.get("leaseTransitions"))
        self._changed = self._clock()
        return True


def _now() -> str:
    """metav1.MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
