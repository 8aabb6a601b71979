"""What PostgreSQL is told about the room that it has: pure."""

import re
from collections.abc import Mapping
from typing import Final

from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.errors import InvalidSpec

POOL: Final = 10
"""Connections that a pod of the transcriber opens at most: its own default."""
_SPARE: Final = 20  # exporter, backups, people
_FEWEST: Final = 200  # a change restarts the server, so that there is room for workers to come
_MIB: Final = 1024**2
_PRELOADED: Final = "pg_stat_statements"
_UNITS: Final = {"B": 1, "kB": 1024, "MB": _MIB, "GB": 1024**3, "TB": 1024**4}

RESTARTING: Final = frozenset(
    {
        *("autovacuum_freeze_max_age", "autovacuum_max_workers", "autovacuum_multixact_freeze_max_age", "cluster_name"),
        *("commit_timestamp_buffers", "debug_io_direct", "dynamic_shared_memory_type", "event_source"),
        *("huge_page_size", "huge_pages", "jit_provider", "max_connections", "max_files_per_process"),
        *("max_locks_per_transaction", "max_logical_replication_workers", "max_notify_queue_pages"),
        *("max_pred_locks_per_transaction", "max_prepared_transactions", "max_replication_slots", "max_wal_senders"),
        *("max_worker_processes", "min_dynamic_shared_memory", "multixact_member_buffers", "multixact_offset_buffers"),
        *("notify_buffers", "reserved_connections", "serializable_buffers", "shared_buffers", "shared_memory_type"),
        *("shared_preload_libraries", "subtransaction_buffers", "superuser_reserved_connections"),
        *("trace_connection_negotiation", "track_activity_query_size", "track_commit_timestamp", "transaction_buffers"),
        *("wal_buffers", "wal_decode_buffer_size", "wal_level", "wal_log_hints"),
    }
)
"""Settings of PostgreSQL 17 that are taken up by a restart only, but for those that nobody may give."""


def clients(cr: WhisperTranscriber) -> int:
    """Connections that API and workers may open at once, while a new version of each takes over, a pod at a time."""
    api, workers = cr.spec.api, cr.spec.workers
    most = max(api.replicas, api.autoscaling.max if api.autoscaling else 0)
    most += max(workers.replicas, workers.autoscaling.max if workers.autoscaling else 0)
    return POOL * (most + 3)  # one more of each, and the migration


def tuned(memory: int, volume: int, clients: int) -> dict[str, str]:
    """Settings for a server with so many bytes of memory and of volume, and so many connections of the transcriber.

    Memory: a quarter for shared buffers, the files that the kernel caches beside them, and sorts of an eighth of all
    connections at once in another quarter. Log: an eighth of the volume between two checkpoints, and a quarter of it
    for a replication slot that nobody reads.
    """
    connections = _FEWEST
    while connections < clients + _SPARE:
        connections *= 2
    between = _within(volume // 8, 64 * _MIB, 8192 * _MIB)
    return {
        "checkpoint_timeout": "15min",
        "effective_cache_size": _mb(memory * 3 // 4),
        # Where a node has huge pages and the pod may not use them, the server would be killed.
        "huge_pages": "off",
        # Statements here take milliseconds; compiling them would take longer.
        "jit": "off",
        "maintenance_work_mem": _mb(_within(memory // 16, 16 * _MIB, 1024 * _MIB)),
        "max_connections": str(connections),
        "max_slot_wal_keep_size": _mb(max(volume // 4, between)),
        "max_wal_size": _mb(between),
        "min_wal_size": _mb(max(between // 4, 32 * _MIB)),
        "random_page_cost": "1.1",
        "shared_buffers": _mb(_within(memory // 4, 16 * _MIB, 8192 * _MIB)),
        "shared_preload_libraries": _PRELOADED,
        "track_io_timing": "on",
        "wal_compression": "lz4",
        "work_mem": _mb(_within(memory * 2 // connections, 4 * _MIB, 64 * _MIB)),
    }


def settled(tuned: Mapping[str, str], given: Mapping[str, str], memory: int) -> dict[str, str]:
    """What counts: the user's word before ours; libraries to preload beside ours.

    Raises: InvalidSpec, where the server would be killed for its memory.
    """
    buffers = _bytes(given.get("shared_buffers", "0"))
    if buffers is not None and buffers > memory * 3 // 4:
        raise InvalidSpec(
            f"spec.postgres.managed.parameters: shared_buffers {given['shared_buffers']} is more than three quarters "
            f"of the pod's memory, {_mb(memory)}: lower it, or raise spec.postgres.managed.pod.resources.limits.memory"
        )
    libraries = [name.strip() for name in given.get("shared_preload_libraries", "").split(",") if name.strip()]
    preloaded = ",".join(dict.fromkeys((_PRELOADED, *libraries)))
    return {**tuned, **given, "shared_preload_libraries": preloaded}


def restarting(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that need a restart. Of an extension's nobody knows, and a restart is always right."""
    return {name: value for name, value in settings.items() if name in RESTARTING or "." in name}


def _within(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


def _mb(value: int) -> str:
    return f"{value // _MIB}MB"


def _bytes(text: str) -> int | None:
    """A size as PostgreSQL reads it, by default in blocks of 8 kB; None for what only it can judge."""
    found = re.match(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*(B|kB|MB|GB|TB)?\s*$", text)
    return int(float(found[1]) * (_UNITS[found[2]] if found[2] else 8192)) if found else None
