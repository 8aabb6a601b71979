"""Clients of Redis in each of its forms, by URL: one server, whichever Sentinel names, or any node of a cluster.

    redis://[user]:password@host:6379/0
    redis+sentinel://[user]:password@host:26379,host:26379/service/0?sentinel_password=…
    redis+cluster://[user]:password@host:6379,host:6379

`rediss` in the place of `redis` means TLS, to Sentinels and servers alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import NoBackoff

from whisper_transcriber.trust import Trust

PATIENCE = 1.0
# Of several places some may be gone: within the patience of a ring the next ones must have their turn.
_TURN = 0.3
_PORTS = {"sentinel": 26379, "cluster": 6379}
_HEALTH = 15


@dataclass(frozen=True)
class Address:
    """A URL that names several places. `service`: what the Sentinels call it. `about`: of the connection."""

    form: str
    secure: bool
    places: tuple[tuple[str, int], ...]
    service: str
    about: Mapping[str, Any]
    sentinel: Mapping[str, Any]


@dataclass(frozen=True)
class Clients:
    """One that rings, one that listens, which may wait for ever, and those that ask Sentinels for both."""

    ringer: Redis
    hearer: Redis
    sentinels: Sequence[Redis] = ()

    async def close(self) -> None:
        """Close the connections of all."""
        for client in (self.ringer, self.hearer, *self.sentinels):
            await client.aclose()


def clients(url: str, tls: bool | None, trust: Trust | None) -> Clients:
    """The clients for a URL. `tls`: None leaves that to the URL.

    Raises: ValueError, for a URL of no form that is known.
    """
    address = parse(url)
    if address is None:
        return _single(_schemed(url, tls), trust)
    secure = address.secure if tls is None else tls
    if address.form == "cluster":
        return _cluster(address, secure, trust)
    return _sentinel(address, secure, trust)


def parse(url: str) -> Address | None:
    """The places of a URL of Sentinels or of a cluster; None for one of a single server.

    Raises: ValueError, whose message repeats nothing of the URL: there is a password in it.
    """
    scheme = url.partition(":")[0]
    base, _, form = scheme.partition("+")
    if not form:
        return None
    if base not in ("redis", "rediss") or form not in _PORTS:
        raise ValueError("a Redis URL begins with redis, redis+sentinel or redis+cluster, or the same with rediss")
    parts = urlsplit(url)
    given = parse_qs(parts.query)
    path = [unquote(part) for part in parts.path.split("/") if part]
    if len(path) > (2 if form == "sentinel" else 0) or not all(part.isdecimal() for part in path[1:]):
        raise ValueError(
            "a Redis URL of Sentinels ends with /service or /service/number, one of a cluster with its hosts"
        )
    about = {"username": parts.username, "password": parts.password}
    places = tuple(_place(text, _PORTS[form]) for text in parts.netloc.rpartition("@")[2].split(",") if text)
    if not places:
        raise ValueError("a Redis URL names at least one host")
    return Address(
        form,
        base == "rediss",
        places,
        path[0] if path else "mymaster",
        {
            **{key: unquote(value) for key, value in about.items() if value},
            **({"db": int(path[1])} if len(path) > 1 else {}),
        },
        {key: given[f"sentinel_{key}"][0] for key in ("username", "password") if f"sentinel_{key}" in given},
    )


def _single(url: str, trust: Trust | None) -> Clients:
    options: dict[str, Any] = {"socket_connect_timeout": PATIENCE, "health_check_interval": _HEALTH}
    made = Clients(Redis.from_url(url, socket_timeout=PATIENCE, **options), Redis.from_url(url, **options))
    if trust is not None and url.startswith("rediss:"):
        for client in (made.ringer, made.hearer):  # a URL's own class goes before an argument
            client.connection_pool.connection_class = _trusting(SSLConnection, trust)
    return made


def _sentinel(address: Address, secure: bool, trust: Trust | None) -> Clients:
    """Both by the same Sentinels, of which the one that has answered is asked first."""
    brief: dict[str, Any] = {"socket_connect_timeout": _TURN, "socket_timeout": _TURN, "retry": Retry(NoBackoff(), 0)}
    asked = Sentinel(  # type: ignore[no-untyped-call]
        address.places, sentinel_kwargs={**brief, **address.sentinel, "ssl": secure}
    )
    managed: type[Connection] = SentinelManagedSSLConnection if secure else SentinelManagedConnection
    if trust is not None and secure:
        managed = _trusting(managed, trust)
        for client in asked.sentinels:
            client.connection_pool.connection_class = _trusting(SSLConnection, trust)
    about: dict[str, Any] = {"connection_class": managed, "socket_connect_timeout": PATIENCE, **address.about}
    about["health_check_interval"] = _HEALTH
    service = address.service
    ringer, hearer = asked.master_for(service, socket_timeout=PATIENCE, **about), asked.master_for(service, **about)
    return Clients(ringer, hearer, asked.sentinels)


def _cluster(address: Address, secure: bool, trust: Trust | None) -> Clients:
    """Any node will do: what is published at one of them, all of them tell their listeners."""
    kind: type[Connection] = SSLConnection if secure else Connection
    if trust is not None and secure:
        kind = _trusting(kind, trust)
    options: dict[str, Any] = {"connection_class": _anywhere(kind, address.places), "socket_connect_timeout": _TURN}
    options |= {"health_check_interval": _HEALTH, **address.about}
    ringing, hearing = ConnectionPool(socket_timeout=PATIENCE, **options), ConnectionPool(**options)
    return Clients(Redis.from_pool(ringing), Redis.from_pool(hearing))


def _anywhere(kind: type[Connection], places: Sequence[tuple[str, int]]) -> type[Connection]:
    """Connections to the first of these places that takes them, the one that did so last before the others."""
    order = list(places)

    class Anywhere(kind):  # type: ignore[valid-type,misc]
        async def _connect(self) -> None:
            failure: Exception | None = None
            for place in tuple(order):
                self.host, self.port = place
                try:
                    await super()._connect()
                except (OSError, TimeoutError) as error:
                    failure = error
                    continue
                order.remove(place)
                order.insert(0, place)
                return
            assert failure is not None
            raise failure

    return Anywhere


def _trusting(kind: type[Connection], trust: Trust) -> type[Connection]:
    """Connections that ask at each connect whom to trust: redis-py would read a file of authorities once."""

    class Trusting(kind):  # type: ignore[valid-type,misc]
        def _connection_arguments(self) -> Mapping[str, Any]:
            return {**super()._connection_arguments(), "ssl": trust.context()}

    return Trusting


def _schemed(url: str, tls: bool | None) -> str:
    """The URL with the scheme for TLS, or for none; `None` leaves it as it is."""
    scheme, _, rest = url.partition(":")
    if tls is None or scheme not in ("redis", "rediss"):
        return url
    return f"{'rediss' if tls else 'redis'}:{rest}"


def _place(text: str, default: int) -> tuple[str, int]:
    host, _, rest = text[1:].partition("]") if text.startswith("[") else text.partition(":")
    port = rest.removeprefix(":")
    if not host or (port and not port.isdecimal()):
        raise ValueError("a Redis URL names its places as host:port, one after another with commas between them")
    return host, int(port) if port else default
