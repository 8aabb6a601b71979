"""PostgreSQL's settings follow from its room; a person's go before them, but for those that would break it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.operator_plan.plans import by_name, transcriber, whole
from whisper_operator.api.names import CONFIG_CHECKSUM
from whisper_operator.errors import InvalidSpec
from whisper_operator.plan.tuning import POOL, clients, restarting, settled, tuned

MIB, GIB = 1024**2, 1024**3


def mib(text: str) -> int:
    assert text.endswith("MB")
    return int(text[:-2])


def test_what_the_default_pod_gets() -> None:
    found = tuned(GIB, 8 * GIB, clients(transcriber()))
    assert {key: found[key] for key in ("shared_buffers", "effective_cache_size", "work_mem", "max_connections")} == {
        "shared_buffers": "256MB",
        "effective_cache_size": "768MB",
        "work_mem": "10MB",
        "max_connections": "200",
    }
    assert (found["max_wal_size"], found["min_wal_size"], found["max_slot_wal_keep_size"]) == (
        "1024MB",
        "256MB",
        "2048MB",
    )


@given(
    memory=st.integers(128 * MIB, 1024 * GIB), volume=st.integers(256 * MIB, 64 * 1024 * GIB), pods=st.integers(0, 2000)
)
def test_it_always_fits(memory: int, volume: int, pods: int) -> None:
    found = tuned(memory, volume, pods * POOL)
    connections = int(found["max_connections"])
    assert connections >= pods * POOL + 20
    shared, sorts = mib(found["shared_buffers"]) * MIB, mib(found["work_mem"]) * MIB
    assert shared <= memory // 4
    # An eighth of all connections sort at once; below 4 MB each sorting on disk would be worse than the risk.
    assert shared + sorts * connections // 8 + mib(found["maintenance_work_mem"]) * MIB <= memory or sorts == 4 * MIB
    assert 2 * 16 <= mib(found["min_wal_size"]) <= mib(found["max_wal_size"]) <= mib(found["max_slot_wal_keep_size"])
    assert mib(found["max_wal_size"]) * MIB <= max(volume // 8, 64 * MIB)


@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        ({}, 1 + 1 + 3),
        ({"api": {"replicas": 3}, "workers": {"replicas": 0}}, 3 + 3),
        ({"workers": {"autoscaling": {"max": 30}}, "api": {"autoscaling": {"max": 6}}}, 30 + 6 + 3),
    ],
    ids=["default", "fixed", "scaled"],
)
def test_connections_are_enough_for_every_pod_that_there_may_be(spec: dict[str, Any], pods: int) -> None:
    assert clients(transcriber(**spec)) == pods * POOL


def test_a_scale_within_reason_restarts_nothing() -> None:
    few, more = (tuned(GIB, GIB, clients(transcriber(workers={"replicas": n}))) for n in (0, 14))
    assert few == more
    assert tuned(GIB, GIB, clients(transcriber(workers={"replicas": 15})))["max_connections"] == "400"


def test_the_users_word_counts_and_libraries_add_up() -> None:
    ours = tuned(GIB, GIB, 50)
    found = settled(ours, {"work_mem": "64MB", "shared_preload_libraries": "auto_explain, pg_stat_statements"}, GIB)
    assert found["work_mem"] == "64MB"
    assert found["shared_preload_libraries"] == "pg_stat_statements,auto_explain"
    assert settled(ours, {}, GIB) == ours


@pytest.mark.parametrize("size", ["1GB", "800MB", "131072", "900000kB"])
def test_buffers_that_would_kill_the_server_are_refused_by_name(size: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.postgres\.managed\.parameters: shared_buffers .* lower it, or raise"):
        settled({}, {"shared_buffers": size}, GIB)
    settled({}, {"shared_buffers": "512MB"}, GIB)
    settled({}, {"shared_buffers": "what only PostgreSQL can judge"}, GIB)


def test_the_limit_of_the_pod_is_its_room() -> None:
    def buffers(**resources: Any) -> str:
        plan = by_name(whole(transcriber(postgres={"managed": {"pod": {"resources": resources}}})))
        return str(plan["ConfigMap", "main-postgres"]["data"]["40-tuned.conf"].partition("shared_buffers = '")[2][:5])

    assert buffers(limits={"memory": "2Gi"}) == "512MB"
    assert buffers(requests={"memory": "2Gi"}) == "512MB", "without a limit: what is reserved"


def restart_mark(**parameters: str) -> str:
    plan = by_name(whole(transcriber(postgres={"managed": {"parameters": parameters}})))
    template = plan["StatefulSet", "main-postgres"]["spec"]["template"]
    return str(template["metadata"]["annotations"][CONFIG_CHECKSUM])


def test_only_what_needs_a_restart_restarts() -> None:
    plain = restart_mark()
    assert restart_mark(work_mem="64MB", log_min_duration_statement="1s") == plain
    assert restart_mark(max_connections="300") != plain
    assert restart_mark(max_connections="200") == plain, "what it is anyway"
    assert restart_mark(**{"auto_explain.log_min_duration": "1s"}) != plain, "nobody knows what extensions need"
    assert restarting({"a.b": "1", "work_mem": "1MB", "wal_buffers": "16MB"}) == {"a.b": "1", "wal_buffers": "16MB"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("listen_addresses", "localhost", "where the server listens"),
        ("unix_socket_permissions", "0777", "where the server listens"),
        ("ssl_min_protocol_version", "TLSv1", r"spec\.tls"),
        ("password_encryption", "md5", r"spec\.tls"),
        ("archive_command", "true", "backups"),
        ("fsync", "off", "lost"),
        ("logging_collector", "on", "kubectl logs"),
        ("wal_level", "minimal", "backups need more"),
    ],
)
def test_what_would_break_is_refused_by_name(name: str, value: str, says: str) -> None:
    """By the operator too: a CRD of an earlier version may have let it in."""
    with pytest.raises(InvalidSpec, match=rf"^spec\.postgres\.managed\.parameters: {name} cannot be .*{says}"):
        transcriber(postgres={"managed": {"parameters": {name: value}}})
