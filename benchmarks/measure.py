"""Rounds of all arms, one after another in each round, and what is to be said of them."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import jiwer
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
    clock, processor = time.perf_counter(), time.process_time()
    texts = run([recording.samples for recording in recordings])
    return Measured(time.perf_counter() - clock, time.process_time() - processor, load, tuple(texts))


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
    """A Markdown table; throughput is the median of the rounds' own ratios to that of the arm `reference`."""
    audio = sum(recording.seconds for recording in recordings)
    lines = [
        "| arm | seconds | real-time factor | relative throughput | CPU seconds | word error rate | load before |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        seconds = median(run.seconds for run in runs)
        ratio = median(base.seconds / run.seconds for base, run in zip(found[reference], runs, strict=True))
        loads = [run.load for run in runs]
        lines.append(
            f"| {name} | {seconds:.1f} | {seconds / audio:.3f} | {ratio:.2f} "
            f"| {median(run.processor for run in runs):.1f} | {error_rate(recordings, runs[0].texts):.2%} "
            f"| {min(loads):.1f} to {max(loads):.1f} |"
        )
    return lines


def error_rate(recordings: Sequence[Recording], texts: Sequence[str]) -> float:
    """Wrong words per word, pooled, after OpenAI's English normaliser."""
    plain = EnglishTextNormalizer()
    said = [plain(recording.text) for recording in recordings]
    return float(jiwer.wer(said, [plain(text) for text in texts]))
