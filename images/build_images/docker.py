"""Building with a Docker engine."""

import functools
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from build_images.engine import BuildFailed, run
from build_images.targets import BASE, Target


class Docker:
    """`docker buildx build` in the engine itself, then `docker save`."""

    def base(self) -> str:
        if not _id(BASE):
            pulled = subprocess.run(["docker", "pull", "--quiet", BASE], capture_output=True, text=True)
            if pulled.returncode != 0:
                raise BuildFailed(f"the base image {BASE} cannot be pulled: {pulled.stderr.strip()}")
        return _id(BASE)

    def build(self, target: Target, context: Path, args: Mapping[str, str], log: Path) -> None:
        before = _id(target.tag)
        run(command(target, context, args, self._builder), log)
        if before and before != _id(target.tag):
            _forget(before, log)

    def save(self, target: Target, archive: Path, log: Path) -> None:
        run(["docker", "save", "--output", archive, target.tag], log)

    @functools.cached_property
    def _builder(self) -> str:
        """The builder that belongs to the engine: it has the name of the context, whatever `buildx use` has chosen."""
        shown = subprocess.run(["docker", "context", "show"], capture_output=True, text=True)
        return shown.stdout.strip() or "default"


def command(target: Target, context: Path, args: Mapping[str, str], builder: str) -> list[str | Path]:
    """The command that builds the target: pure.

    builder: one in a container of its own would not see the engine's images, and some targets start from them.
    """
    words: list[str | Path] = ["docker", "buildx", "build", "--builder", builder, "--load", "--progress", "plain"]
    # The host's network, as buildah's chroot has it: a mirror of the registries may listen on its loopback.
    words += ["--network", "host"]
    # An attestation is a second manifest, which newer engines leave out of what they save: kind cannot load that.
    words += ["--provenance=false", "--sbom=false"]
    words += ["--tag", target.tag, "--file", target.dockerfile]
    words += ["--target", target.stage] if target.stage else []
    words += [word for name, value in args.items() for word in ("--build-arg", f"{name}={value}")]
    return [*words, context]


def answers() -> bool:
    """Whether a Docker engine can be reached and has buildx."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        return False
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode != 0:
        raise BuildFailed("Docker answers but has no buildx: install the package docker-buildx")
    return True


def _id(name: str) -> str:
    """The id of the image of this name, or nothing."""
    return _inspect(name, "{{.Id}}")


def _inspect(image: str, template: str) -> str:
    inspect = ["docker", "image", "inspect", "--format", template, image]
    return subprocess.run(inspect, capture_output=True, text=True).stdout.strip()


def _forget(image: str, log: Path) -> None:
    """Remove an image that has no name left, with the layers that no other image shares: weights add up.

    One that cannot be removed, because a container of somebody's still uses it, only costs space.
    """
    if _inspect(image, "{{len .RepoTags}}") != "0":  # removing it would take the name that somebody gave it
        return
    with log.open("a") as output:
        subprocess.run(["docker", "image", "rm", image], stdout=output, stderr=subprocess.STDOUT)
