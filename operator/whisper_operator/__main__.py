"""whisper-operator run: probes at once, then the Lease, then the watches."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence

from whisper_operator import handlers, settings
from whisper_operator.cluster.lease import Lease
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import Cluster
from whisper_operator.errors import Rejected, Transient
from whisper_operator.handlers import probes
from whisper_operator.jobs import TRANSCRIPTION_JOB
from whisper_operator.logs import Log, configure
from whisper_operator.metrics import LEADING
from whisper_operator.reconcile import CHILD_KINDS, OPTIONAL_KINDS, TRANSCRIBER
from whisper_operator.transcripts import Transcripts

log = Log("whisper_operator")
# Objects made until garbage is looked for, and rounds until the older ones are looked at too. What a look makes is
# freed without that, and with Python's 700 a tenth of the time went there.
GARBAGE = (50_000, 20, 20)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 after SIGTERM, 1 when something failed."""
    chosen = settings.load(sys.argv[1:] if argv is None else argv, settings.environment())
    configure(chosen.log_level)
    gc.set_threshold(*GARBAGE)
    return asyncio.run(run(chosen))


async def run(chosen: settings.Settings) -> int:
    """Serve probes, wait for the lead, lead, give it back."""
    stop = asyncio.Event()
    _stop_on_signals(stop)
    watches = (len(CHILD_KINDS) + len(OPTIONAL_KINDS) + 2) * max(1, len(chosen.namespaces))
    cluster = await LiveCluster.connect(connections=2 * chosen.concurrency + watches)
    lease = Lease(cluster, chosen.lease_namespace, chosen.lease_name, chosen.identity)
    try:
        async with probes.serve(chosen.http_host, chosen.http_port, lambda: lease.seen):
            log.info("Waiting for the lead", identity=chosen.identity, lease=f"{lease_key(chosen)}")
            if not await _first(lease.acquire(), stop):
                return 0
            return await lead(cluster, lease, chosen, stop)
    finally:
        await cluster.close()


async def lead(cluster: LiveCluster, lease: Lease, chosen: settings.Settings, stop: asyncio.Event) -> int:
    """Work while the Lease is ours."""
    LEADING.set(1)
    keeper = asyncio.create_task(lease.keep(), name="lease")
    keeper.add_done_callback(_lost)
    try:
        if not await _first(_served(cluster), stop):
            return 0
        async with Transcripts(chosen.api_url) as api:
            return await _operate(handlers.Operator(cluster, api, chosen), chosen, stop)
    finally:
        keeper.remove_done_callback(_lost)
        keeper.cancel()
        await lease.release()


async def _operate(operator: handlers.Operator, chosen: settings.Settings, stop: asyncio.Event) -> int:
    ready = asyncio.Event()
    watches = asyncio.create_task(handlers.watch(operator, chosen, stop, ready), name="watches")
    started = asyncio.create_task(ready.wait(), name="started")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    await asyncio.wait({watches, started, stopping}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    # kopf puts its own signal handlers in; its shutdown takes seconds in which nobody would lead.
    _stop_on_signals(stop)
    await asyncio.wait({watches, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await operator.close()
    told = stop.is_set()
    stop.set()
    watches.add_done_callback(_say_why)
    if not told:
        log.warning("The watches ended by themselves")
    return 0 if told else 1


async def _served(cluster: Cluster) -> None:
    """Wait until both CRDs are there: kopf looks only once."""
    said = False
    while True:
        try:
            if await cluster.serves(TRANSCRIBER) and await cluster.serves(TRANSCRIPTION_JOB):
                return
            if not said:
                log.warning("Waiting for the CRDs", kinds=[TRANSCRIBER.name, TRANSCRIPTION_JOB.name])
                said = True
        except (Transient, Rejected) as error:
            log.warning("Could not look for the CRDs", error=str(error))
        await asyncio.sleep(1)


async def _first(work: object, stop: asyncio.Event) -> bool:
    """Whether the work ended before we were told to stop."""
    doing = asyncio.ensure_future(work)  # type: ignore[call-overload]
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if doing.done():
        doing.result()
        return not stop.is_set()
    doing.cancel()
    return False


def _lost(_: object) -> None:
    """Without the Lease every further write could meet another leader's: end now, tidying up is for the living."""
    log.warning("Lost the lead, exiting")
    logging.shutdown()
    os._exit(1)


def _say_why(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception():
        log.warning("The watches failed", error=repr(task.exception()))


def _stop_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


def lease_key(chosen: settings.Settings) -> str:
    """`namespace/name` of the Lease, for logs."""
    return f"{chosen.lease_namespace}/{chosen.lease_name}"


if __name__ == "__main__":
    sys.exit(main())
