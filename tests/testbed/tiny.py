"""Images that hold one static program of ours, wrapped into Docker archives without any image builder."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from testbed import own

PAUSE = "localhost/pause:1"
PROBE = "localhost/probe:1"


def pause() -> Path:
    """The archive of the image that holds a pod's namespaces."""
    return _archive("pause", PAUSE, "a few seconds")


def probe() -> Path:
    """The archive of the image for tests of the cluster itself: a tiny HTTP server and client (see probe/main.go)."""
    return _archive("probe", PROBE, "half a minute")


def _archive(name: str, image: str, about: str) -> Path:
    program = own.program(name, about, static=True)
    made = program.with_name(f"{name}.tar")
    if not made.exists():
        part = program.with_name(f"{name}.tar.{os.getpid()}")
        part.write_bytes(wrap(name, program.read_bytes(), image))
        part.replace(made)
    return made


def wrap(name: str, program: bytes, image: str) -> bytes:
    """A Docker archive of one layer that holds the program as /NAME, its entrypoint."""
    layer = _tar({name: program}, mode=0o755)
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": [f"/{name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    return _tar(files, mode=0o644)


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
