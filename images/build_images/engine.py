"""What a builder of images must be able to do, and how its programs are run."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from build_images.targets import Target


class BuildFailed(Exception):
    """An image could not be built; the message ends with the builder's last lines."""


class Engine(Protocol):
    """Docker or buildah."""

    def base(self) -> str:
        """What identifies the base image: the same string means the same base."""

    def build(self, target: Target, context: Path, args: Mapping[str, str], log: Path) -> None:
        """Build the image under its tag."""

    def save(self, target: Target, archive: Path, log: Path) -> None:
        """Write the image as a Docker archive that carries its tag."""


def run(command: Sequence[str | Path], log: Path, cwd: Path | None = None) -> None:
    """Run to the end with the output appended to `log`. Raises BuildFailed with the log's last lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        output.write(f"+ {' '.join(map(str, command))}\n")
        output.flush()
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd).returncode
    if status != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise BuildFailed(f"{command[0]} failed with status {status} (whole log: {log}):\n{last}")
