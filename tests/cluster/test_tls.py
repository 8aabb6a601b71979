"""TLS on a real node: pods verify each other, and a renewed certificate reaches open listeners under load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

import manifests
import steps
from assets import speech
from clips import compressed, config_map
from services.secured import Secured, ask_postgres
from steps import Service
from testbed.waiting import until

pytestmark = pytest.mark.cluster
LISTENERS = {"postgres": 5432, "redis": 6379, "objects": 7070}


def test_passwords_never_travel_in_the_clear(service: Service) -> None:
    script = (
        "import asyncio, asyncpg, os, re, sys\n"
        "url = os.environ['WHISPER_DATABASE_URL']\n"
        "async def main():\n"
        "    ca = os.environ['WHISPER_DATABASE_CA']\n"
        "    c = await asyncpg.connect(f'{url}?sslmode=verify-full&sslrootcert={ca}')\n"
        "    print(await c.fetchval('SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'))\n"
        "    try:\n"
        "        await asyncpg.connect(f'{url}?sslmode=disable')\n"
        "    except asyncpg.InvalidAuthorizationSpecificationError as error:\n"
        "        print(error)\n"
        "asyncio.run(main())\n"
    )
    said = service.cluster.kubectl("exec", "deploy/main-api", "-n", service.namespace, "--", "python", "-c", script)
    assert "TLSv1.3" in said
    assert "no encryption" in said
    found = service.cluster.kubectl(
        *("exec", "main-postgres-0", "-n", service.namespace, "--", "psql", "-U", "whisper", "-Atc"),
        "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE client_addr IS NOT NULL AND NOT ssl",
    )
    assert found.strip() == "0"


def test_renewed_certificates_reach_open_listeners_and_no_request_fails(service: Service, tmp_path: Path) -> None:
    cluster, namespace = service.cluster, service.namespace
    clip = compressed(speech.long(150), tmp_path)
    steps.apply(cluster, namespace, config_map("renewed", {"clip.ogg": clip}))
    before = {name: serial(service, name) for name in LISTENERS}
    pods = steps.names(cluster, namespace, "pods")
    with asking(service) as answers:
        cluster.kubectl("delete", "secret", *(f"main-{name}-tls" for name in LISTENERS), "-n", namespace)
        # Secrets are not watched: the next operator reads them at its first look.
        cluster.kubectl("delete", "pods", "-n", steps.SYSTEM, "-l", "app.kubernetes.io/component=operator")
        steps.apply(
            cluster, namespace, manifests.job("renewed", "main", {"configMap": {"name": "renewed", "key": "clip.ogg"}})
        )
        for name, old in before.items():
            until(f"a new certificate of {name}", partial(changed, service, name, old), timeout=240)
        done = steps.until(cluster, namespace, steps.JOB_KIND, "renewed", steps.finished, 240)
    assert steps.condition(done, "Succeeded")["status"] == "True", done["status"]
    assert len(answers) > 100
    assert [answer for answer in answers if answer != 200] == []
    assert steps.names(cluster, namespace, "pods") == pods


def changed(service: Service, name: str, old: int) -> bool:
    """Whether the store shows another certificate."""
    return serial(service, name) != old


def serial(service: Service, name: str) -> int:
    """The serial number that the store's Service shows now."""
    with steps.forwarded(service.cluster, service.namespace, f"main-{name}", LISTENERS[name]) as url:
        port = int(url.rpartition(":")[2])
        hello = ask_postgres if name == "postgres" else lambda _: None
        return Secured(name, port, Path("/"), hello).serial()


@contextmanager
def asking(service: Service) -> Iterator[list[int | str]]:
    """Asks the API whether all of its stores answer, all the time; the statuses."""
    answers: list[int | str] = []
    over = threading.Event()
    with steps.forwarded(service.cluster, service.namespace, "main-api") as url:

        def ask() -> None:
            with httpx.Client(base_url=url, timeout=10) as client:
                while not over.wait(0.2):
                    try:
                        answers.append(client.get("/readyz").status_code)
                    except httpx.HTTPError as error:
                        answers.append(repr(error))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield answers
        finally:
            over.set()
            thread.join()
