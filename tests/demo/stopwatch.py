"""What is being done, how long each step took, and what came of it, for a person who watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Times named steps and prints them as they come."""

    clock: Callable[[], float] = time.monotonic
    steps: list[tuple[str, float]] = field(default_factory=list)
    """Each finished step with its seconds, in order."""
    _since: float = 0.0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step and time it; one that raises is not recorded."""
        say(f"\n==> {title}")
        self._since = self.clock()
        yield
        self.steps.append((title, self.clock() - self._since))

    def note(self, line: str) -> None:
        """A line within the step, with the seconds since it began."""
        say(f"  {self.clock() - self._since:5.0f} s  {line}")

    def table(self) -> str:
        """The steps with their times, and the sum."""
        rows = [*self.steps, ("all", sum(seconds for _, seconds in self.steps))]
        width = max(len(title) for title, _ in rows)
        return "\n".join(f"  {title:<{width}}  {duration(seconds):>12}" for title, seconds in rows)


def say(line: str) -> None:
    """Print at once: a pipe's reader wants progress too."""
    print(line, flush=True)


def duration(seconds: float) -> str:
    """`4.2 s` or `3 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Changes:
    """Passes on a line only when it differs from the one before: a watch repeats itself."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        self._last = ""

    def __call__(self, line: str) -> None:
        if line != self._last:
            self._sink(line)
        self._last = line


def indented(text: str, by: int = 2) -> str:
    """The text, moved to the right."""
    return "\n".join(" " * by + line for line in text.rstrip().splitlines())


def missing(conditions: Sequence[dict[str, str]]) -> str:
    """What a transcriber still waits for, in words, from its conditions."""
    parts = [c for c in conditions if c["type"].endswith("Ready") and c["type"] != "Ready" and c["status"] != "True"]
    if not conditions:
        return "waiting for the operator"
    if not parts:
        return "every part is ready"
    return "waiting for " + ", ".join(f"{c['type'].removesuffix('Ready').lower()} ({c['reason']})" for c in parts)
