"""From targets to archives: what is due is built, lane beside lane."""

import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assets import weights
from assets.cache import cache_root, locked, say
from build_images import docker
from build_images.buildah import Buildah
from build_images.engine import Engine
from build_images.inputs import digest
from build_images.targets import ALL, LANES, ROOT, TARGETS, Target, version

# Mirrors and proxies of this machine. They say how to get at the same files, so they are no part of the hash.
_WAYS = ("PIP_INDEX_URL", "GOPROXY", "GOSUMDB", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def build(targets: Sequence[str] = TARGETS) -> dict[str, Path]:
    """Build what changed and return each target's archive (a Docker archive that carries the image's whole name).

    Raises: BuildFailed with the builder's last lines; KeyError for an unknown target.
    """
    wanted = [ALL[name] for name in targets]
    folder = cache_root() / "images"
    with locked(folder / ".lock"):
        builder = Builder(engine(folder), folder)
        lanes = [[target for target in lane if target in wanted] for lane in LANES]
        with ThreadPoolExecutor(len(lanes)) as pool:
            done = [archive for lane in pool.map(builder.build_all, lanes) for archive in lane]
    return dict(done)


def engine(folder: Path) -> Engine:
    """The engine of this machine; what it keeps lies in `folder`."""
    return docker.Docker() if docker.answers() else Buildah(folder)


@dataclass(frozen=True)
class Builder:
    """Builds into `folder` with `engine`."""

    engine: Engine
    folder: Path

    def build_all(self, targets: Sequence[Target]) -> list[tuple[str, Path]]:
        """The targets' archives, one after another."""
        return [(target.name, self.archive(target)) for target in targets]

    def archive(self, target: Target) -> Path:
        """The target's archive, built if there is none of its digest; older ones of the target are then removed."""
        archive = self.folder / f"{target.name}-{self._digest(target)}.tar"
        if archive.exists():
            say(f"image {target.name}: unchanged")
            return archive
        started = time.monotonic()
        log = self._make(target)
        half = archive.with_suffix(".half")
        half.unlink(missing_ok=True)
        self.engine.save(target, half, log)
        half.rename(archive)
        for old in self.folder.glob(f"{target.name}-{'[0-9a-f]' * 16}.tar"):
            if old != archive:
                old.unlink()
        size = archive.stat().st_size / 1e6
        say(f"image {target.name}: built in {time.monotonic() - started:.0f} s, {size:.0f} MB")
        return archive

    def _make(self, target: Target) -> Path:
        """Build the image in the engine's storage, its parent first; returns the log's path."""
        if target.parent:
            self._make(ALL[target.parent])
        log = self.folder / "logs" / f"{target.name}.log"
        log.unlink(missing_ok=True)
        say(f"image {target.name}: building (log: {log})")
        args = {name: value for name in _WAYS if (value := os.environ.get(name))}
        self.engine.build(target, self._context(target), self._args(target) | args, log)
        return log

    def _args(self, target: Target) -> dict[str, str]:
        parent = {"WORKER": ALL[target.parent].tag} if target.parent else {"VERSION": version()}
        return target.args | parent

    def _digest(self, target: Target) -> str:
        base = self._digest(ALL[target.parent]) if target.parent else self.engine.base()
        return digest(target, self._context(target), base, self._args(target))

    def _context(self, target: Target) -> Path:
        return _models(self.folder / "models") if target.models else ROOT


def _models(folder: Path) -> Path:
    """A folder with real weights by name, hard-linked from the cache of the tests' assets where possible."""
    for model in weights.ALL:
        source = weights.fetch(model)
        target = folder / model.name
        if target.is_dir() and {f.name for f in target.iterdir()} == {f.name for f in source.iterdir()}:
            continue
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, copy_function=_link)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
