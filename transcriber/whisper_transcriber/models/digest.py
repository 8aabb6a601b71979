"""The SHA-256 of a model's weights, computed once for each file as it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path


def digest_of(file: Path, memo: Path) -> str:
    """``sha256:…`` of a file. `memo` is a folder that remembers digests by path, size and time of change.

    The folder of the model itself may be read-only (part of an image), so nothing is written beside it.
    """
    stat = file.stat()
    name = str(file.resolve())
    seen = [name, stat.st_size, stat.st_mtime_ns]
    note = memo / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # an unreadable note is one that was never made
        *before, digest = json.loads(note.read_text())
        if before == seen:
            return str(digest)
    with file.open("rb") as stream:
        digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    with contextlib.suppress(OSError):  # a cache that cannot be written costs seconds at the next start
        memo.mkdir(parents=True, exist_ok=True)
        fresh = note.with_name(f".{note.name}.{os.getpid()}")
        fresh.write_text(json.dumps([*seen, digest]))
        fresh.replace(note)
    return digest
