"""What has been loaded into a node, so that the same archive is not loaded again."""

import json
from collections.abc import Iterable
from pathlib import Path


class Loaded:
    """A file that says, by an image's name, which archive it came from.

    node: tells one node of the cluster's name from the next; what an earlier one held does not count.
    """

    def __init__(self, file: Path, node: str = "") -> None:
        self._file = file
        self._node = node

    def has(self, names: Iterable[str], archive: Path) -> bool:
        """Whether this archive, unchanged, is the last that was loaded under each of the names."""
        seen = self._read()
        return all(seen.get(name) == self._mark(archive) for name in names)

    def note(self, names: Iterable[str], archive: Path) -> None:
        """The archive has been loaded under these names."""
        self._file.write_text(json.dumps({**self._read(), **dict.fromkeys(names, self._mark(archive))}, indent=1))

    def _read(self) -> dict[str, str]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def _mark(self, archive: Path) -> str:
        info = archive.stat()
        return f"{self._node} {archive.resolve()} {info.st_size} {info.st_mtime_ns}".lstrip()
