"""Building with buildah where there is no Docker engine: the same Dockerfiles, a chroot for each RUN."""

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from build_images import standin
from build_images.engine import BuildFailed, run
from build_images.targets import BASE, Target


class Buildah:
    """buildah with a storage of its own under `root`, and the stand-in for the base image in it."""

    def __init__(self, root: Path) -> None:
        if os.geteuid() != 0:
            raise BuildFailed("no Docker engine answers, and buildah needs root: start Docker, or run this as root")
        self._root = root
        self._log = root / "logs" / "base.log"
        self._base_lock = threading.Lock()
        _install(self._log)

    def base(self) -> str:
        return standin.identity()

    def build(self, target: Target, context: Path, args: Mapping[str, str], log: Path) -> None:
        with self._base_lock:  # lanes start at once, and each needs it
            self._make_base()
        command = self._buildah("bud", "--isolation", "chroot", "--format", "docker", "--layers", "--pull-never")
        command += ["--tag", target.tag, "--file", target.dockerfile]
        command += ["--target", target.stage] if target.stage else []
        command += [word for name, value in args.items() for word in ("--build-arg", f"{name}={value}")]
        before = self._id(target)
        run([*command, context], log)
        if before and before != self._id(target) and not target.parent:
            self._forget(before, log)

    def save(self, target: Target, archive: Path, log: Path) -> None:
        run(self._buildah("push", "--quiet", target.tag, f"docker-archive:{archive}:{target.tag}"), log)

    @functools.cached_property
    def _driver(self) -> str:
        """overlay, or vfs where the cache's file system cannot be overlaid (slower, and many times the space)."""
        probe = ["buildah", *self._storage("overlay"), "from", "--name", "overlay-probe", "scratch"]
        mount = ["buildah", *self._storage("overlay"), "mount", "overlay-probe"]
        works = all(subprocess.run(step, capture_output=True).returncode == 0 for step in (probe, mount))
        subprocess.run(["buildah", *self._storage("overlay"), "rm", "overlay-probe"], capture_output=True)
        return "overlay" if works else "vfs"

    def _storage(self, driver: str) -> list[str]:
        folder = self._root / f"storage-{driver}"
        return ["--root", str(folder), "--runroot", str(folder / "run"), "--storage-driver", driver]

    def _buildah(self, *arguments: str | Path) -> list[str | Path]:
        return ["buildah", *self._storage(self._driver), *arguments]

    def _id(self, target: Target) -> str:
        """The id of the image that carries the target's tag, or nothing."""
        inspect = self._buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", target.tag)
        return subprocess.run(inspect, capture_output=True, text=True).stdout.strip()

    def _forget(self, image: str, log: Path) -> None:
        """Remove an image that lost its tag, with the layers that no other image shares: weights add up.

        One that cannot be removed, because a container of somebody's still uses it, only costs space.
        """
        with log.open("a") as output:
            subprocess.run(self._buildah("rmi", image), stdout=output, stderr=subprocess.STDOUT)

    def _make_base(self) -> None:
        """Make the stand-in under the name that the Dockerfiles start FROM, unless it is there."""
        label = '{{index .OCIv1.Config.Labels "stand-in"}}'
        inspect = self._buildah("inspect", "--type", "image", "--format", label, BASE)
        found = subprocess.run(inspect, capture_output=True, text=True)
        if found.returncode == 0 and found.stdout.strip() == standin.identity():
            return
        tar = self._root / "base.tar"
        run([*standin.COMMAND, tar], self._log)
        name = "base-in-work"
        subprocess.run(self._buildah("rm", name), capture_output=True)
        run(self._buildah("from", "--name", name, "scratch"), self._log)
        run(self._buildah("add", "--quiet", name, tar), self._log)
        for certificate in standin.certificates():
            run(self._buildah("copy", "--quiet", name, certificate, f"{standin.CERTIFICATES}/"), self._log)
        run(self._buildah("config", *standin.config(), "--label", f"stand-in={standin.identity()}", name), self._log)
        run(self._buildah("commit", "--quiet", "--rm", "--format", "docker", name, BASE), self._log)
        tar.unlink()


def _install(log: Path) -> None:
    missing = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise BuildFailed(f"no Docker engine answers: start one, or install {' and '.join(missing)}")
    run(["apt-get", "update", "--quiet"], log)
    run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing], log)
