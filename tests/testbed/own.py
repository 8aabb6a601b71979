"""Our own small Go programs, built into the cache by what their sources say."""

import hashlib
import os
from pathlib import Path

from testbed import paths
from testbed.locks import locked
from testbed.say import say
from testbed.shell import run


def fingerprint(source: Path) -> str:
    """A short digest of all files in the folder, names included."""
    digest = hashlib.sha256()
    for file in sorted(source.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def program(name: str, about: str, static: bool = False) -> Path:
    """The program whose source is the folder NAME beside this file, built if need be.

    about: how long a cold build takes, for the reader.
    static: for Linux, without the C library, so that it runs in an image that holds nothing else.
    """
    source = Path(__file__).parent / name
    made = paths.cache() / "bin" / f"{name}-{fingerprint(source)}" / name
    with locked(f"build-{name}"):
        if not made.exists():
            say(f"building {name}, about {about} from cold caches")
            made.parent.mkdir(parents=True, exist_ok=True)
            part = made.with_suffix(".part")
            env = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux"} if static else None
            run(
                ["go", "build", "-buildvcs=false", "-o", part, "-ldflags=-s -w", "."], cwd=source, env=env, timeout=3600
            )
            part.replace(made)
    return made


def provisioner() -> Path:
    """The volume provisioner."""
    return program("provisioner", "2 min")


def health() -> Path:
    """How kstatus and Argo CD see an object."""
    return program("health", "1 min")


def cert_manager() -> Path:
    """cert-manager's controller."""
    return program("certmanager", "3 min")
