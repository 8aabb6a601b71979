"""What an image archive calls its images, and what the node must call them: pure."""

import json
import tarfile
from pathlib import Path
from typing import Any

_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"


def normalise(name: str) -> str:
    """The full name under which a pod spec's short name is looked up, as Docker and containerd do it.

    `whisper-operator/api:1` → `docker.io/whisper-operator/api:1`; `redis` → `docker.io/library/redis:latest`.
    """
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", name if slash else f"library/{name}"
    tagged = "@" in rest or ":" in rest.rsplit("/", 1)[-1]
    return f"{host}/{rest}" if tagged else f"{host}/{rest}:latest"


def aliases(name: str) -> set[str]:
    """All names a pod may use for an image that its archive calls `name`.

    buildah puts `localhost/` before names without a host; people write such names in a pod spec without it.
    """
    full = normalise(name)
    bare = full.removeprefix("localhost/")
    return {full} if bare == full else {full, normalise(bare)}


def names(archive: Path) -> list[str]:
    """The images in a Docker or OCI archive, as it names them. Raises ValueError for anything else."""
    with tarfile.open(archive) as tar:
        members = tar.getnames()
        if "manifest.json" in members:
            return [name for image in _read(tar, "manifest.json") for name in image.get("RepoTags") or []]
        if "index.json" in members:
            marks = [manifest.get("annotations") or {} for manifest in _read(tar, "index.json")["manifests"]]
            found = [mark.get(_FULL_NAME) or mark.get(_REF_NAME) for mark in marks]
            return [name for name in found if name]
    raise ValueError(f"{archive} is neither a Docker archive nor an OCI archive")


def _read(tar: tarfile.TarFile, member: str) -> Any:
    content = tar.extractfile(member)
    assert content is not None, f"{member} is a plain file"
    return json.load(content)
