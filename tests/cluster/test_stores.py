"""PostgreSQL and Redis as they run: tuned, reloaded where that is enough, and measured by accounts with few rights."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import manifests
import steps
from testbed import Cluster
from testbed.waiting import until
from whisper_operator.api.v1alpha1.parameters import refusal
from whisper_operator.plan.tuning import RESTARTING

pytestmark = pytest.mark.cluster
SPACE = "stores"
DIAL = """
import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print("open")
    except TimeoutError:
        print("dropped")
"""


@pytest.fixture(scope="module")
def stores(operator: Cluster) -> Iterator[Cluster]:
    """A transcriber without workers, its stores with exporters, which this namespace may scrape."""
    steps.apply(operator, "default", manifests.restricted_namespace(SPACE))
    spec: dict[str, Any] = {
        "workers": {"replicas": 0},
        "monitoring": {"exporters": {"enabled": True}},
        "networkPolicy": {"ingress": {"metrics": [{"podSelector": {}}]}},
    }
    steps.apply(operator, SPACE, manifests.transcriber("main", **spec))
    steps.until(operator, SPACE, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 300)
    yield operator
    operator.kubectl("delete", "namespace", SPACE, "--wait=false")


def execute(cluster: Cluster, server: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a server's main container."""
    return subprocess.run(
        ["kubectl", "exec", f"main-{server}-0", "--namespace", SPACE, "--container", server, "--", *command],
        env=cluster.env(),
        capture_output=True,
        text=True,
    )


def ask(cluster: Cluster, query: str) -> str:
    """One value, or a row a line."""
    done = execute(cluster, "postgres", "psql", "-U", "whisper", "-d", "whisper", "-Atc", query)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def shows(cluster: Cluster, name: str, value: str) -> bool:
    """Whether the server says so; one that is just restarting says nothing."""
    done = execute(cluster, "postgres", "psql", "-U", "whisper", "-d", "whisper", "-Atc", f"SHOW {name}")
    return done.stdout.strip() == value


def life(cluster: Cluster, server: str) -> tuple[str, int]:
    """Which pod it is, and how often its main container was started again."""
    pod = steps.get(cluster, SPACE, "pod", f"main-{server}-0")
    (status,) = [each for each in pod["status"]["containerStatuses"] if each["name"] == server]
    return pod["metadata"]["uid"], status["restartCount"]


def test_postgresql_is_tuned_to_its_room(stores: Cluster) -> None:
    given = ("shared_buffers", "max_connections", "max_wal_size", "shared_preload_libraries", "password_encryption")
    found = [ask(stores, f"SHOW {name}") for name in given]
    assert found == ["256MB", "200", "1GB", "pg_stat_statements", "scram-sha-256"]
    assert int(ask(stores, "SELECT count(*) FROM pg_stat_statements")) > 0
    remote = "SELECT DISTINCT auth_method FROM pg_hba_file_rules WHERE type <> 'local'"
    assert ask(stores, remote) == "scram-sha-256"
    assert ask(stores, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == "0"


def test_we_know_which_settings_need_a_restart(stores: Cluster) -> None:
    """As this very server says."""
    names = ask(stores, "SELECT name FROM pg_settings WHERE context = 'postmaster' AND name NOT LIKE '%.%'").split()
    assert {name for name in names if refusal(name) is None} == RESTARTING


def test_a_setting_is_reloaded_where_that_is_enough(stores: Cluster) -> None:
    before = life(stores, "postgres")
    steps.merge(stores, SPACE, "main", {"postgres": {"managed": {"parameters": {"work_mem": "33MB"}}}})
    # The kubelet brings a changed ConfigMap to the pod within a minute or two.
    until("the new work_mem", lambda: shows(stores, "work_mem", "33MB"), timeout=180)
    assert life(stores, "postgres") == before


def test_a_setting_that_needs_a_restart_gets_one(stores: Cluster) -> None:
    before, redis = life(stores, "postgres"), life(stores, "redis")
    steps.merge(stores, SPACE, "main", {"postgres": {"managed": {"parameters": {"max_connections": "300"}}}})
    until("the new max_connections", lambda: shows(stores, "max_connections", "300"), timeout=180)
    assert life(stores, "postgres")[0] != before[0]
    assert life(stores, "redis") == redis
    steps.until(stores, SPACE, steps.TRANSCRIBER_KIND, "main", steps.holds("Ready"), 120)


def test_the_exporters_see_their_servers(stores: Cluster) -> None:
    seen = {
        "postgres": (9187, ("pg_up 1", "pg_stat_database_xact_commit{", "pg_stat_statements_calls_total{")),
        "redis": (9121, ("redis_up 1", "redis_memory_max_bytes 1.34217728e+08", "redis_slowlog_length")),
    }
    for server, (port, lines) in seen.items():
        with steps.forwarded(stores, SPACE, f"main-{server}-0", port, kind="pod") as url:
            text = httpx.get(f"{url}/metrics", timeout=20).raise_for_status().text
        assert [line for line in lines if line not in text] == [], text[-3000:]


def test_their_accounts_may_do_nothing_else(stores: Cluster) -> None:
    as_metrics = ("psql", "-U", "metrics", "-d", "whisper", "-Atc")
    assert execute(stores, "postgres", *as_metrics, "SELECT sum(calls) > 0 FROM pg_stat_statements").stdout == "t\n"
    for query in ("SELECT count(*) FROM jobs", "CREATE TABLE mine ()", "SELECT pg_read_file('/etc/passwd')"):
        refused = execute(stores, "postgres", *as_metrics, query)
        assert "permission denied" in refused.stderr or "read-only" in refused.stderr, query
    script = "REDISCLI_AUTH=$(cat /run/secrets/metrics/redis-password) redis-cli -s /tmp/redis.sock --user metrics "
    assert execute(stores, "redis", "sh", "-c", script + "info server").stdout.startswith("# Server")
    for command in ("get a", "config get requirepass", "slowlog get", "acl list", "keys a", "shutdown"):
        assert "NOPERM" in execute(stores, "redis", "sh", "-c", script + command).stdout, command


def test_who_may_scrape_reaches_the_metrics_and_not_the_server(stores: Cluster) -> None:
    steps.apply(
        stores,
        SPACE,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files"}, "data": {"index.html": ""}},
        *manifests.web_server("prometheus", "files"),
    )
    steps.until(stores, SPACE, "pod", "prometheus", steps.holds_pod_ready, 60)
    for server, ports in {"postgres": (9187, 5432), "redis": (9121, 6379)}.items():
        address = steps.get(stores, SPACE, "pod", f"main-{server}-0")["status"]["podIP"]
        places = [f"{address}:{port}" for port in ports]
        said = stores.kubectl("exec", "prometheus", "--namespace", SPACE, "--", "python3", "-c", DIAL, *places)
        assert said.split() == ["open", "dropped"]
