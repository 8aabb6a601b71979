"""`python -m benchmarks.engine`: the engine beside faster-whisper (and openai-whisper where it is installed).

Every arm has the same weights, compute type, beam, language and number of processors, and the same human speech.
"""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from assets import speech, weights
from assets.cache import cache_root
from benchmarks import arms, material, service, words
from benchmarks.material import Recording
from benchmarks.measure import plot, rounds, table
from whisper_transcriber.engine import processors

Maker = Callable[[], arms.Run]
REFERENCE = "faster-whisper, one after another"
MARK = "openai-whisper"
CASES = ", ".join(["clips", "mixed", "alone", "file", "gate", "words", *service.CASES])
WORDS = (MARK, REFERENCE, "ours, float32, full input", "ours, full input", "ours, float32", "ours")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the cases that are asked for and print their tables."""
    asked = _parser().parse_args(argv)
    folder = {"base": weights.base, "tiny.en": weights.tiny_en}[asked.model]()
    setting = arms.Setting(folder, asked.threads or processors(), asked.beam)
    makers = {name: cache(make) for name, make in _makers(setting).items()}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("ctranslate2", "faster-whisper")]
    arranged = f"{asked.model} {setting.compute_type}, beam {setting.beam}, {setting.threads} processors"
    _say("; ".join([arranged, *versions]))
    if unknown := set(asked.arms or ()) - makers.keys():
        sys.exit(f"no arms {sorted(unknown)}: there are {', '.join(makers)}")
    for case in asked.cases:
        if case == "words":
            _words(asked, makers)
            continue
        if case in service.CASES:
            _of_the_service(case, asked, setting.threads)
            continue
        recordings, every = _case(case, asked, makers)
        names = asked.arms or every
        _say(f"\n{case}: {len(recordings)} recordings, {_seconds(recordings):.0f} s of speech")
        running = {name: makers[name]() for name in names}
        warm = [Recording(recordings[0].samples[: 16_000 * 5], "")]
        rounds(running, warm, 1, lambda line: None)  # what only the first run pays
        found = rounds(running, recordings, asked.rounds, _say)
        title = f"{case}: {len(recordings)} recordings, {_seconds(recordings):.0f} s; {asked.rounds} rounds"
        lines = [*table(found, recordings, names[0]), "", *plot(title, found, names[0])]
        sys.stdout.write("\n".join(["", f"**{title}**", "", *lines, ""]))
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("cases", nargs="*", default=["clips", "file"], help=f"of: {CASES}")
    parser.add_argument("--clips", type=int, default=16, help="how many recordings of 5 to 30 s arrive at once")
    parser.add_argument("--seconds", type=float, default=600, help="how long the one file is")
    parser.add_argument("--count", type=int, default=40, help="of behind and soak: how many short requests are sent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", choices=("base", "tiny.en"), default="base")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="processors; 0 for all that this process may use")
    parser.add_argument("--arms", nargs="*", help="only arms whose names are these; the first is 1.00")
    parser.add_argument("--languages", nargs="+", choices=speech.LANGUAGES, default=speech.LANGUAGES, help="of words")
    parser.add_argument("--results", type=Path, help="of words: the folder that keeps what each arm has written")
    return parser


def _makers(setting: arms.Setting) -> dict[str, Maker]:
    """All arms by name; made on first use, as each holds a model."""
    return {
        REFERENCE: lambda: arms.sequential(setting),
        "faster-whisper batched by 8": lambda: arms.batched(setting, 8),
        "faster-whisper batched by 16": lambda: arms.batched(setting, 16),
        f"faster-whisper, {setting.threads} workers of 1 thread": lambda: arms.workers(setting),
        "ours, full input": lambda: arms.ours(setting, "full"),
        "ours": lambda: arms.ours(setting),
        "ours, short input": lambda: arms.ours(setting, "short"),
        "ours, float32": lambda: arms.ours(setting, compute_type="float32"),
        "ours, float32, full input": lambda: arms.ours(setting, "full", compute_type="float32"),
        MARK: lambda: arms.openai_whisper(setting),
    }


def _case(case: str, asked: argparse.Namespace, makers: Mapping[str, Maker]) -> tuple[list[Recording], list[str]]:
    """The recordings of a case and the arms that have a part in it."""
    side_by_side = next(name for name in makers if "workers" in name)
    match case:
        case "clips":
            names = [REFERENCE, MARK, "faster-whisper batched by 8", side_by_side, "ours, full input", "ours"]
            return material.clips(asked.clips), names
        case "mixed":
            names = [REFERENCE, MARK, "faster-whisper batched by 8", side_by_side, "ours"]
            return material.mixed(asked.clips), names
        case "alone":
            return material.clips(1, 10, 15), [REFERENCE, "ours, full input", "ours"]
        case "file":
            names = [REFERENCE, MARK, "faster-whisper batched by 8", "faster-whisper batched by 16", "ours"]
            return material.one_file(asked.seconds), names
        case "gate":
            return material.clips(asked.clips), ["ours, full input", "ours, short input"]
    sys.exit(f"no case {case!r}: there are {CASES}")


def _words(asked: argparse.Namespace, makers: Mapping[str, Maker]) -> None:
    """What is wrong in what the arms write, all of it or what there is of an earlier run."""
    folder = asked.results or cache_root() / "benchmarks" / f"words-{asked.model}-beam{asked.beam}"
    recordings = words.corpus(asked.languages)
    found = {}
    for name in asked.arms or WORDS:
        file = folder / f"{name.replace(', ', '_').replace(' ', '-')}.jsonl"
        found[name] = words.written(makers[name], file, recordings, _say)
    title = f"**words**: {len(recordings)} recordings, {_seconds(recordings):.0f} s"
    sys.stdout.write("\n".join(["", title, "", *words.table(found, next(iter(found))), ""]))


def _of_the_service(case: str, asked: argparse.Namespace, threads: int) -> None:
    """A case that needs the transcriber's processes, with a database and a bucket."""
    _say(f"\n{case}: load {os.getloadavg()[0]:.1f}")
    lines = service.CASES[case](service.Asked(asked.model, threads, asked.seconds, asked.count), _say)
    title = f"**{case}**: {asked.model}, {threads} processors; load after it {os.getloadavg()[0]:.1f}"
    sys.stdout.write("\n".join(["", title, "", *lines, ""]))


def _seconds(recordings: Sequence[Recording]) -> float:
    return sum(recording.seconds for recording in recordings)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
