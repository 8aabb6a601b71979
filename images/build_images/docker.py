"""Building with a Docker engine."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from build_images.engine import BuildFailed, run
from build_images.targets import BASE, Target


class Docker:
    """`docker buildx build --load`, then `docker save`."""

    def base(self) -> str:
        inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", BASE]
        found = subprocess.run(inspect, capture_output=True, text=True)
        if found.returncode != 0:
            subprocess.run(["docker", "pull", "--quiet", BASE], check=True)
            found = subprocess.run(inspect, capture_output=True, text=True, check=True)
        return found.stdout.strip()

    def build(self, target: Target, context: Path, args: Mapping[str, str], log: Path) -> None:
        # The host's network, as buildah's chroot has it: a mirror of the registries may listen on its loopback.
        command: list[str | Path] = ["docker", "buildx", "build", "--load", "--network", "host", "--progress", "plain"]
        command += ["--tag", target.tag]
        command += ["--file", target.dockerfile]
        command += ["--target", target.stage] if target.stage else []
        command += [word for name, value in args.items() for word in ("--build-arg", f"{name}={value}")]
        run([*command, context], log)

    def save(self, target: Target, archive: Path, log: Path) -> None:
        run(["docker", "save", "--output", archive, target.tag], log)


def answers() -> bool:
    """Whether a Docker engine can be reached and has buildx."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        return False
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode != 0:
        raise BuildFailed("Docker answers but has no buildx: install the package docker-buildx")
    return True
