"""From settings to running processes: the only place that knows which form of each port is used."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from whisper_transcriber.bell.memory import MemoryBell
from whisper_transcriber.bell.port import Bell
from whisper_transcriber.bell.redis import RedisBell
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.catalogue import catalogue
from whisper_transcriber.deps.http import KeyPair
from whisper_transcriber.deps.http import serve as serve_http
from whisper_transcriber.logs import Log
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.objects import keyring
from whisper_transcriber.objects.magic import PlainObjects
from whisper_transcriber.objects.port import Objects
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.settings import InvalidSettings, Settings
from whisper_transcriber.store.database import verified
from whisper_transcriber.store.port import Unavailable as StoreUnavailable
from whisper_transcriber.store.postgres import PostgresStore
from whisper_transcriber.tracing import OFF, Tracing
from whisper_transcriber.tracing import load as load_tracing
from whisper_transcriber.trust import Trust

log = Log(__name__)
T = TypeVar("T")
_MIGRATE_SECONDS = 30.0
TROUBLE = Path(tempfile.gettempdir()) / "whisper-trouble"
"""Why a migration has to wait: a readiness probe hands it on."""


def build(settings: Settings, tracing: Tracing = OFF) -> Deps:
    """Everything a process of the service needs; nothing is connected yet. Raises InvalidSettings."""
    url = settings.database_url.get_secret_value()
    if not url.startswith(("postgresql://", "postgres://")):
        raise InvalidSettings(["WHISPER_DATABASE_URL: a postgresql:// URL is needed."])
    if settings.database_ca:
        url = verified(url, str(settings.database_ca))
    metrics = Metrics()
    return Deps(
        settings,
        PostgresStore(url),
        _bell(settings, metrics),
        protected(bucket(settings), settings),
        metrics,
        catalogue(settings),
        tracing,
    )


async def serve(settings: Settings) -> None:
    """The API, until it has drained after SIGTERM."""
    from whisper_transcriber.app import create_app

    deps = build(settings, load_tracing("whisper-transcriber-api"))
    async with process(deps) as stop:
        app = create_app(deps, stop)
        times = (settings.shutdown_seconds, settings.drain_seconds)
        await serve_http(app, settings.host, settings.port, stop, *times, tls=_key_pair(settings))


async def work(settings: Settings) -> None:
    """A worker, until SIGTERM. Only this command imports the engine and the audio stack."""
    from whisper_transcriber.worker import Models, run
    from whisper_transcriber.worker.health import health_app

    deps = build(settings, load_tracing("whisper-transcriber-worker"))
    async with process(deps, threads=settings.claims) as stop:
        models, over = Models(deps), asyncio.Event()
        serving = serve_http(health_app(deps, models), settings.host, settings.port, over, 1)
        await together(serving, run(deps, models, stop), stop, over)


async def together(
    serving: Coroutine[Any, Any, None], working: Coroutine[Any, Any, None], *ends: asyncio.Event
) -> None:
    """Serve and work until one of them is over; then set `ends` and let the other come to its end too.

    Whatever ended one of them ends the process: a worker is never half alive. Raises what they raised.
    """
    tasks = [asyncio.create_task(each) for each in (serving, working)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.set()
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()


async def migrate(settings: Settings) -> None:
    """Bring the schema up to date and make the bucket; both may still be starting."""
    deps = build(settings)
    async with process(deps) as stop:
        applied = await _patiently(deps.store.migrate, stop)
        log.info("Migrated the database", applied=list(applied))
        await _patiently(deps.objects.prepare, stop)
        log.info("Prepared the object store", bucket=settings.s3_bucket)


@asynccontextmanager
async def process(deps: Deps, threads: int = 0) -> AsyncIterator[asyncio.Event]:
    """The event that SIGTERM or SIGINT sets; what the process was given is closed at its end.

    Each of a worker's claims may wait in one of `threads` for its file's decoder: none waits for another one's.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    if threads:
        loop.set_default_executor(ThreadPoolExecutor(threads + 4))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        await deps.close()


async def _patiently(action: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T:
    """Try until it works, SIGTERM comes, or half a minute is over. TROUBLE says meanwhile why it does not.

    Whoever starts it anew gives it the passwords of then: what it was started with may be what is wrong.
    """
    deadline, wait = asyncio.get_running_loop().time() + _MIGRATE_SECONDS, 0.2
    while True:
        try:
            done = await action()
            TROUBLE.unlink(missing_ok=True)
            return done
        except (StoreUnavailable, ObjectsUnavailable) as error:
            TROUBLE.write_text(str(error))
            if stop.is_set() or asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("Not there yet, trying again", reason=str(error), seconds=wait)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
        wait = min(wait * 2, 5.0)


def _key_pair(settings: Settings) -> KeyPair | None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise InvalidSettings(["WHISPER_TLS_CERT and WHISPER_TLS_KEY: one is worth nothing without the other."])
    return KeyPair(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None


def _bell(settings: Settings, metrics: Metrics) -> Bell:
    url = settings.redis_url.get_secret_value()
    trust = Trust(settings.redis_ca) if settings.redis_ca else None
    return RedisBell(url, metrics.bell_failures.inc, tls=settings.redis_tls, trust=trust) if url else MemoryBell()


def protected(store: Objects, settings: Settings) -> Objects:
    """The store, its objects encrypted if there are keys. Raises InvalidSettings."""
    text = settings.objects_keys.get_secret_value()
    if not text:
        return PlainObjects(store)
    # Only where it is needed: it takes memory of every process.
    from whisper_transcriber.objects.encrypted import EncryptedObjects, Policy

    try:
        ring = keyring.parse(text)
    except ValueError as error:
        raise InvalidSettings([f"WHISPER_OBJECTS_KEYS: {error}."]) from None
    return EncryptedObjects(store, ring, Policy(unencrypted=settings.objects_read_unencrypted))


def bucket(settings: Settings) -> S3Objects:
    """The bucket as it is."""
    return S3Objects(
        Bucket(
            settings.s3_bucket,
            settings.s3_region,
            settings.s3_endpoint,
            settings.s3_access_key.get_secret_value(),
            settings.s3_secret_key.get_secret_value(),
            Trust(settings.s3_ca) if settings.s3_ca else None,
        )
    )
