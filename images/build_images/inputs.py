"""The hash of everything that an image is made of."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from build_images.dockerfile import needed, sources, stages
from build_images.targets import Target


def digest(target: Target, context: Path, base: str, args: dict[str, str]) -> str:
    """16 hex digits that change when the image would: its stages, the files they copy, the build arguments and `base`.

    Comments, other stages, and files that no needed stage copies change nothing. `base` identifies the image under
    the first FROM: the base image, or the parent's digest.
    """
    steps = needed(stages(target.dockerfile.read_text(), args), target.stage)
    sums = hashlib.sha256(repr((target.tag, steps, base, sorted(args.items()))).encode())
    for source in sources(steps):
        for path in _files(context / source):
            name = path.relative_to(context)
            sums.update(f"{name}\0{path.stat().st_mode & 0o111:o}\0{_file(path)}\n".encode())
    return sums.hexdigest()[:16]


def _files(path: Path) -> Iterator[Path]:
    """The files below `path` in a fixed order, without what .dockerignore leaves out."""
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is copied by a Dockerfile, but is not there")
    for entry in sorted(path.iterdir()):
        if entry.name != "__pycache__" and entry.suffix != ".pyc":
            yield from _files(entry)


def _file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
