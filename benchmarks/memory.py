"""What processes take of memory, as Linux counts it."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Peak:
    """The most that a process and, at one moment, all its children together took while a block lasts, in bytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.children = 0

    @property
    def own(self) -> int:
        """Of the process itself since it began: the kernel's own mark."""
        return _status(self._pid, "VmHWM")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.children = max(self.children, sum(resident(child) for child in _children(self._pid)))


def resident(pid: int) -> int:
    """Bytes of a process that are in memory now; 0 if it has ended."""
    try:
        return _status(pid, "VmRSS")
    except (OSError, StopIteration):
        return 0


def _children(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024
