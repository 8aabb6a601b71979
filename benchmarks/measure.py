"""Rounds of all arms, one after another in each round, and what is to be said of them."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from statistics import median

import jiwer
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from benchmarks.arms import Run
from benchmarks.material import Recording


@dataclass(frozen=True)
class Measured:
    """One run of one arm: seconds by the clock and of processor time, the load of the machine before it, the texts."""

    seconds: float
    processor: float
    load: float
    texts: tuple[str, ...]


def measure(run: Run, recordings: Sequence[Recording]) -> Measured:
    """Run one arm once."""
    load = os.getloadavg()[0]
    clock, processor = time.perf_counter(), processor_seconds()
    texts = run(recordings)
    return Measured(time.perf_counter() - clock, processor_seconds() - processor, load, tuple(texts))


def rounds(
    arms: Mapping[str, Run], recordings: Sequence[Recording], count: int, say: Callable[[str], None]
) -> dict[str, list[Measured]]:
    """Every arm once in each round, each round beginning with another; so a busy minute is nobody's alone."""
    found: dict[str, list[Measured]] = {name: [] for name in arms}
    names = list(arms)
    for index in range(count):
        for name in [*names[index % len(names) :], *names[: index % len(names)]]:
            found[name].append(measure(arms[name], recordings))
            last = found[name][-1]
            say(f"  round {index + 1}: {name}: {last.seconds:.1f} s, {last.processor:.1f} s CPU, load {last.load:.1f}")
    return found


def table(found: Mapping[str, Sequence[Measured]], recordings: Sequence[Recording], reference: str) -> list[str]:
    """A Markdown table; relative throughput as in `throughput`."""
    audio = sum(recording.seconds for recording in recordings)
    lines = [
        "| arm | seconds | real-time factor | relative throughput | CPU seconds | word error rate | load before |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        seconds = median(run.seconds for run in runs)
        ratio = throughput(found, reference)[name]
        loads = [run.load for run in runs]
        lines.append(
            f"| {name} | {seconds:.1f} | {seconds / audio:.3f} | {ratio:.2f} "
            f"| {median(run.processor for run in runs):.1f} | {error_rate(recordings, runs[0].texts):.2%} "
            f"| {min(loads):.1f} to {max(loads):.1f} |"
        )
    return lines


def throughput(found: Mapping[str, Sequence[Measured]], reference: str) -> dict[str, float]:
    """Of each arm, the median of the rounds' own ratios to that of the arm `reference`."""
    base = [run.seconds for run in found[reference]]
    return {
        name: median(one / run.seconds for one, run in zip(base, runs, strict=True)) for name, runs in found.items()
    }


def plot(title: str, found: Mapping[str, Sequence[Measured]], reference: str) -> list[str]:
    """The relative throughput of all arms as a bar chart, in the Mermaid that Markdown's viewers draw."""
    bars = throughput(found, reference)
    names = ", ".join(f'"{name}"' for name in bars)
    return [
        "```mermaid",
        "xychart-beta horizontal",
        f'    title "{title}"',
        f"    x-axis [{names}]",
        f'    y-axis "relative throughput" 0 --> {ceil(max(bars.values()))}',
        f"    bar [{', '.join(f'{bar:.2f}' for bar in bars.values())}]",
        "```",
    ]


def error_rate(recordings: Sequence[Recording], texts: Sequence[str]) -> float:
    """Wrong words per word, pooled."""
    return errors([(each.language, each.text, text) for each, text in zip(recordings, texts, strict=True)]).rate


@dataclass(frozen=True)
class Errors:
    """How many words were said, and how many edits make what was written of them."""

    words: int
    wrong: int

    @property
    def rate(self) -> float:
        return self.wrong / max(1, self.words)


def errors(texts: Sequence[tuple[str, str, str]]) -> Errors:
    """Pooled over (language, said, written), after the normaliser of Whisper's authors: English has one of its own."""
    plain = [(_normaliser(language)(said), _normaliser(language)(written)) for language, said, written in texts]
    found = jiwer.process_words([said for said, _ in plain], [written for _, written in plain])
    wrong = found.substitutions + found.deletions + found.insertions
    return Errors(found.hits + found.substitutions + found.deletions, wrong)


@cache
def _normaliser(language: str) -> Callable[[str], str]:
    made: Callable[[str], str] = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return made


def processor_seconds() -> float:
    """Processor seconds of this process and of those it has started, which still run."""
    tick = os.sysconf("SC_CLK_TCK")
    ticks = 0
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # threads and children end meanwhile
            for child in (thread / "children").read_text().split():
                stat = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
                ticks += int(stat[11]) + int(stat[12])
    return time.process_time() + ticks / tick
