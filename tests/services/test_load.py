"""A crowd of clients on one API and one worker: none is failed, also while PostgreSQL, Redis or the objects are away.

`make bench-api` does the same at its full size, and measures it.
"""

import time
from collections.abc import Callable

import pytest

from services import running
from services.crowd import GONE, Crowd, Record
from services.pulse import pulse
from services.running import PATIENCE, Client, Process, Service
from services.servers import Server, new_postgres, new_redis, new_s3, wait_until
from services.settled import error_rate, settled

KINDS = {"text", "captions", "stream", "polled", "followed", "later", "large"}
GOOD = {200, 201, 202, 204}


def kept(client: Client) -> set[str]:
    """The ids of all jobs that there are."""
    found: set[str] = set()
    with client.http as http:
        query: dict[str, int | str] = {"limit": 100}
        while True:
            page = http.get("/v1/jobs", params=query).json()
            found |= {job["id"] for job in page["data"]}
            if not page["has_more"]:
                return found
            query["after"] = page["last_id"]


def served(record: Record) -> set[str]:
    """The kinds of clients that got what they asked for."""
    return {answer.kind for answer in record.answers if answer.status in GOOD}


def test_a_crowd_gets_all_that_it_asks_for(service: Service) -> None:
    api = service.start("serve", WHISPER_RETRY_SECONDS="1")
    service.start("work")
    client = Client(api)
    with pulse(api.url) as beat, Crowd(api.url, 10, minute=12, large=120) as crowd:
        wait_until(lambda: served(crowd.record) >= KINDS, "an answer for clients of each kind", PATIENCE)
    assert settled(client, crowd.record) == []
    assert set(crowd.record.statuses()) == GOOD | {GONE}
    assert error_rate(crowd.record.heard) < 0.3
    assert beat.failures == []
    # Whoever went away left nothing behind, and whoever waited has taken it along.
    wait_until(lambda: kept(client) == set(crowd.record.accepted), "what nobody asks for to be forgotten", PATIENCE)


def felt(api: Process, record: Record, name: str) -> Callable[[], bool]:
    """Whether clients, or at least the API, have noticed that something is away."""
    begun, rings = time.monotonic(), api.metric("whisper_bell_failures_total")
    if name == "Redis":
        return lambda: api.metric("whisper_bell_failures_total") > rings
    return lambda: bool(record.since(begun, 503))


@pytest.mark.timeout(600)
def test_what_a_crowd_was_promised_outlives_the_loss_of_each_dependency() -> None:
    postgres, redis, objects = new_postgres(), new_redis(), new_s3()
    away: dict[str, Server] = {"PostgreSQL": postgres.server, "Redis": redis.server, "objects": objects.server}
    with running.service(redis, postgres, objects) as service:
        api = service.start("serve")
        service.start("work")
        with Crowd(api.url, 10, minute=12, large=120) as crowd:
            wait_until(lambda: bool(crowd.record.since(0, 201)), "a job to be accepted", PATIENCE)
            for name, server in away.items():
                noticed = felt(api, crowd.record, name)
                server.stop()
                wait_until(noticed, f"{name} to be missed", PATIENCE)
                server.start()
                back = time.monotonic()
                wait_until(lambda back=back: bool(crowd.record.since(back, 201)), f"jobs after {name}", PATIENCE)  # type: ignore[misc]
        assert settled(Client(api), crowd.record) == []
        assert set(crowd.record.statuses()) <= GOOD | {503, GONE}
        assert error_rate(crowd.record.heard) < 0.3
