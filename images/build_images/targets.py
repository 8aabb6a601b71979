"""What there is to build, and in which order."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
BASE: Final = "docker.io/library/debian:trixie-slim"


@dataclass(frozen=True)
class Target:
    """One image. Its Dockerfile is `images/<folder>/Dockerfile`, its context the repository unless `models` is set."""

    name: str
    repository: str
    folder: str
    stage: str | None = None
    args: dict[str, str] = field(default_factory=dict)
    parent: str | None = None
    """The target whose image it starts from."""
    models: bool = False
    """Its context is a folder of real weights."""

    @property
    def dockerfile(self) -> Path:
        return ROOT / "images" / self.folder / "Dockerfile"

    @property
    def tag(self) -> str:
        """The image's whole name, as a node's runtime spells it."""
        return f"docker.io/whisper-operator/{self.repository}:{version()}"


def version() -> str:
    """The project's version, which is the images' tag."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


# A lane is built from first to last, since what follows uses the layers of what came before; lanes are built at once.
LANES: Final = (
    (
        Target("operator", "operator", "operator"),
        Target("api", "transcriber-api", "transcriber", stage="api"),
        Target("worker", "transcriber-worker", "transcriber", stage="worker"),
        # The worker under the same name, with models inside: `spec: {}` then works where no hub can be reached.
        Target("preloaded", "transcriber-worker", "preloaded", parent="worker", models=True),
        Target("worker-torch", "transcriber-worker-torch", "transcriber", stage="worker-torch"),
        Target("worker-cuda", "transcriber-worker", "transcriber", stage="worker", args={"ACCELERATOR": "cuda"}),
    ),
    (
        Target("postgres", "postgres", "postgres"),
        Target("redis", "redis", "redis"),
    ),
    (Target("objects", "objects", "objects"),),
)
ALL: Final = {target.name: target for lane in LANES for target in lane}

TARGETS: Final = ("operator", "api", "preloaded", "postgres", "redis", "objects")
"""What a cluster needs to run everything: the worker is the one with models inside."""
