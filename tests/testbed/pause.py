"""The pause image: a static program of a few lines, wrapped into a Docker archive without any image builder."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from testbed import paths
from testbed.locks import locked
from testbed.shell import run

IMAGE = "localhost/pause:1"
_SOURCE = Path(__file__).parent / "pause" / "main.go"


def archive() -> Path:
    """The image's archive in the cache, made if this source has not been built before."""
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    folder = paths.cache() / "bin" / f"pause-{digest}"
    made = folder / "pause.tar"
    with locked(f"build-pause-{digest}"):
        if not made.exists():
            folder.mkdir(parents=True, exist_ok=True)
            program = folder / "pause"
            run(
                ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, _SOURCE],
                env={**os.environ, "CGO_ENABLED": "0"},
            )
            part = folder / "pause.tar.part"
            part.write_bytes(wrap(program.read_bytes(), IMAGE))
            part.replace(made)
    return made


def wrap(program: bytes, image: str) -> bytes:
    """A Docker archive of one layer that holds the program as /pause."""
    layer = _tar({"pause": program}, mode=0o755)
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "layer.tar": layer,
            "config.json": json.dumps(config).encode(),
            "manifest.json": json.dumps(manifest).encode(),
        },
        mode=0o644,
    )


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
