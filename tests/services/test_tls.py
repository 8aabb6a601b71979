"""Certificates are renewed, and their authority too, beneath clients that do not notice."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from services import secured
from services.secured import Secured
from services.servers import ACCESS_KEY, PASSWORD, SECRET_KEY, free_port, redis_server, until
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.certs import certify
from whisper_transcriber.bell.redis import RedisBell
from whisper_transcriber.deps.http import KeyPair, serve
from whisper_transcriber.objects.s3 import Bucket, S3Objects
from whisper_transcriber.store.database import Database, verified
from whisper_transcriber.trust import Trust

DAY = timedelta(days=1)
Pair = dict[str, str]
Check = Callable[[], Awaitable[object]]


class Years:
    """A transcriber's certificates as the operator makes them, by a clock that the test turns until now."""

    def __init__(self) -> None:
        meta = {"name": "main", "namespace": "speech", "uid": "1"}
        self._cr = WhisperTranscriber.parse({"metadata": meta, "spec": {"tls": {"api": {"enabled": True}}}})
        self._secrets: dict[str, dict[str, object]] = {}
        self._now = datetime.now(UTC)
        self.bundle = ""

    def ago(self, days: float) -> None:
        """What is due so many days before today is done."""
        certified = certify(self._cr, self._secrets, self._now - days * DAY)
        self.bundle = certified.bundle
        for manifest in certified.writes:
            meta = {**manifest["metadata"], "resourceVersion": "1"}
            self._secrets[meta["name"]] = {"metadata": meta, "data": manifest["data"]}

    def pair(self, server: str) -> Pair:
        """A server's certificate and key."""
        data = self._secrets[f"main-{server}-tls"]["data"]
        return {key: b64decode(data[key]).decode() for key in ("tls.crt", "tls.key")}  # type: ignore[index]


@pytest.fixture
def years() -> Years:
    """An authority that is about to be followed by another, and certificates of it that still hold for a month."""
    made = Years()
    made.ago(2437)
    made.ago(61)
    return made


@asynccontextmanager
async def load(check: Check, lanes: int = 4) -> AsyncIterator[list[object]]:
    """The check again and again, in several lanes, while the block runs. What failed is not raised but counted."""
    outcomes: list[object] = []
    over = asyncio.Event()

    async def lane() -> None:
        while not over.is_set():
            try:
                outcomes.append(await check())
            except Exception as error:  # whatever it is, it is a request that failed
                outcomes.append(error)
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(lane()) for _ in range(lanes)]
    try:
        yield outcomes
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def renewed_under_load(years: Years, server: Secured, trusted: Path, check: Check) -> None:
    """The successor becomes known, then signs; the open listener shows its certificate, and no request has failed."""
    before = await asyncio.to_thread(server.serial)
    assert before == secured.number(years.pair(server.name)["tls.crt"])
    async with load(check) as outcomes:

        async def more(count: int) -> None:
            enough = len(outcomes) + count

            async def there() -> bool:
                return len(outcomes) >= enough

            await until(there, f"{count} more requests")

        await more(20)
        years.ago(2)
        secured.put(trusted, years.bundle)
        await more(20)
        years.ago(0)
        server.renew(years.pair(server.name))
        after = secured.number(years.pair(server.name)["tls.crt"])

        async def shown() -> bool:
            return await asyncio.to_thread(server.serial) == after

        await until(shown, "the new serial number on the open listener", 30)
        await more(40)
    assert after != before
    assert [outcome for outcome in outcomes if outcome is not True] == []


@pytest.fixture
def trusted(years: Years, tmp_path: Path) -> Path:
    """The file that clients take their authorities from."""
    secured.put(tmp_path / "ca.crt", years.bundle)
    return tmp_path / "ca.crt"


async def test_postgresql(years: Years, trusted: Path) -> None:
    server = await asyncio.to_thread(secured.postgres, years.pair("postgres"))
    url = server.env["WHISPER_DATABASE_URL"]

    async def check() -> bool:
        fresh = Database(verified(url, str(trusted)), 1)
        async with fresh.connection() as connection:
            rows = await connection.fetchval("SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()")
        await fresh.close()
        return bool(rows == 1)

    await renewed_under_load(years, server, trusted, check)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
        await asyncpg.connect(f"{url}?sslmode=disable")


async def test_redis_in_its_other_forms(years: Years, trusted: Path) -> None:
    """The name that each is asked by is in the certificate, and nobody is believed who has another authority's."""
    server = await asyncio.to_thread(secured.redis, years.pair("redis"))
    tls = [f"tls-{key}-file {file}" for key, file in (("ca-cert", trusted), *secured.files(server.folder))]
    watched = f"sentinel monitor bells localhost {server.port} 1", f"sentinel auth-pass bells {PASSWORD}"
    about = "tls-replication yes", "tls-auth-clients no", "sentinel resolve-hostnames yes"
    more = (*about, "sentinel announce-hostnames yes", *watched)
    sentinel = await asyncio.to_thread(redis_server, *tls, *more, sentinel=True, tls=True)
    others = Years()
    others.ago(0)
    for place in (
        f"+sentinel://:{PASSWORD}@localhost:{sentinel.port}/bells?sentinel_password={PASSWORD}",
        f"+cluster://:{PASSWORD}@localhost:1,localhost:{server.port}",
    ):
        bell = RedisBell(f"rediss{place}", trust=Trust(trusted))
        await until(bell.healthy, place)
        await bell.close()
        secured.put(trusted.with_name("others.crt"), others.bundle)
        for stranger in (
            RedisBell(f"rediss{place}", trust=Trust(trusted.with_name("others.crt"))),
            RedisBell(f"redis{place}"),
        ):
            assert not await stranger.healthy()
            await stranger.close()
    await asyncio.to_thread(sentinel.stop)


async def test_redis(years: Years, trusted: Path) -> None:
    server = await asyncio.to_thread(secured.redis, years.pair("redis"))
    url, trust = server.env["WHISPER_REDIS_URL"], Trust(trusted)

    async def check() -> bool:
        fresh = RedisBell(url, tls=True, trust=trust)
        try:
            return await fresh.healthy()
        finally:
            await fresh.close()

    await renewed_under_load(years, server, trusted, check)
    plain = RedisBell(url)
    assert not await plain.healthy()
    await plain.close()
    async with Redis.from_url(url.replace("redis:", "rediss:"), ssl_ca_certs=str(trusted)) as anybody:
        assert await anybody.ping()  # type: ignore[misc]
    assert PASSWORD in url


async def test_objects(years: Years, trusted: Path) -> None:
    server = await asyncio.to_thread(secured.objects, years.pair("objects"))
    where = (f"test-{uuid4().hex}", "us-east-1", server.env["WHISPER_S3_ENDPOINT"], ACCESS_KEY, SECRET_KEY)
    bucket = Bucket(*where, Trust(trusted))
    await S3Objects(bucket).prepare()
    long_lived = S3Objects(bucket)

    async def check() -> bool:
        key = f"load/{uuid4().hex}"
        for store in (long_lived, S3Objects(bucket)):
            await store.put(key, _once(b"audio"))
            assert [chunk async for chunk in store.get(key)] == [b"audio"]
        return True

    await renewed_under_load(years, server, trusted, check)


async def test_the_api(years: Years, trusted: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = secured.certificates(years.pair("api"))
    port, stop = free_port(), asyncio.Event()
    tls = KeyPair(folder / "tls.crt", folder / "tls.key", 0.2)
    serving = asyncio.create_task(serve(_hello, "127.0.0.1", port, stop, 5, tls=tls))
    server = Secured("api", port, folder)

    async def up() -> bool:
        try:
            return bool(await asyncio.to_thread(server.serial))
        except OSError:
            return False

    await until(up, "the API to listen")
    trust = Trust(trusted)
    async with httpx.AsyncClient(verify=trust.context()) as long_lived:

        async def check() -> bool:
            async with httpx.AsyncClient(verify=trust.context()) as fresh:
                answers = [await one.get(f"https://localhost:{port}/") for one in (fresh, long_lived)]
            return all(answer.status_code == 200 for answer in answers)

        await renewed_under_load(years, server, trusted, check)
    caplog.clear()
    (folder / "tls.crt").write_text("no certificate")

    async def refused() -> bool:
        return "Kept the certificate" in caplog.text

    await until(refused, "the bad certificate to be read")
    assert await up(), "a bad renewal must leave the old certificate in place"
    stop.set()
    await serving


async def test_a_server_of_another_name_or_authority_is_refused(years: Years, trusted: Path) -> None:
    server = await asyncio.to_thread(secured.redis, years.pair("redis"))
    url = server.env["WHISPER_REDIS_URL"]
    by_address = RedisBell(url.replace("localhost", "127.0.0.1"), tls=True, trust=Trust(trusted))
    stranger = Years()
    stranger.ago(0)
    secured.put(trusted.with_name("other.crt"), stranger.bundle)
    by_stranger = RedisBell(url, tls=True, trust=Trust(trusted.with_name("other.crt")))
    for bell in (by_address, by_stranger):
        assert not await bell.healthy()
        await bell.close()


def test_a_file_of_authorities_that_breaks_changes_nothing(years: Years, trusted: Path) -> None:
    trust = Trust(trusted)
    good = trust.context()
    trusted.write_text("no certificate")
    assert trust.context() is good
    trusted.unlink()
    assert trust.pem() == years.bundle
    with pytest.raises(OSError, match="No such file"):
        Trust(trusted).pem()
    trusted.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        Trust(trusted).context()


async def _once(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def _hello(
    scope: dict[str, object], receive: object, send: Callable[[dict[str, object]], Awaitable[None]]
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
