"""Where the test bed keeps things: a cache that outlives clusters, a folder for each cluster that does not."""

import os
import re
from pathlib import Path

# A name becomes a network namespace, a cgroup, a node name and part of a socket's path (at most 107 bytes).
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def check_name(name: str) -> str:
    """The name itself, if a cluster can be called so; ValueError otherwise."""
    if not NAME.fullmatch(name):
        raise ValueError(f"a cluster's name is 1 to 40 of a-z, 0-9 and '-', with no '-' at the ends: {name!r}")
    return name


def cache() -> Path:
    """The folder for everything worth keeping between runs, outside the checkout."""
    if own := os.environ.get("WHISPER_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "whisper-operator"


def state(name: str) -> Path:
    """All files of one cluster, except its sockets."""
    return cache() / "clusters" / name


def sockets(name: str) -> Path:
    """A short path: a Unix socket's may not be longer than 107 bytes."""
    return Path("/run") / f"wo-{name}"


def netns(name: str) -> Path:
    """The network namespace's file, as `ip netns add` makes it."""
    return Path("/run/netns") / name


def log_tail(file: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message; empty if there is none."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""
