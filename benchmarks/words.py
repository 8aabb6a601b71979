"""The word-error gate: what each arm wrote of human speech, kept as it goes, and how much of it is wrong."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assets import speech
from benchmarks import material
from benchmarks.arms import Run
from benchmarks.material import Recording
from benchmarks.measure import Errors, errors, processor_seconds

_SLICE = 12  # recordings that an arm is given at once: a run that is cut short loses no more
_OTHERS = 4  # of the sentences in other languages every so many-th is heard


@dataclass(frozen=True)
class Written:
    """What an arm wrote of a recording; `processor`, its share of the slice's processor seconds by length."""

    name: str
    language: str
    seconds: float
    said: str
    text: str
    processor: float

    @property
    def group(self) -> str:
        """The column of the table."""
        kind = " files" if "/file-" in self.name else " clips"
        return self.language + (kind if self.language == "en" else "")


def corpus(languages: Sequence[str] = speech.LANGUAGES) -> list[Recording]:
    """Each English sentence alone and in files of one to two minutes, and a quarter of those in other languages."""
    others = [language for language in languages if language != "en"]
    files = [recording for language in others for recording in material.joined(language, _OTHERS)]
    english = [*material.joined("en"), *material.single("en")] if "en" in languages else []
    return [*english, *files]


def written(
    make: Callable[[], Run], file: Path, recordings: Sequence[Recording], say: Callable[[str], None]
) -> list[Written]:
    """What the arm writes of the recordings. What `file` holds from an earlier run is not done again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    known = {each.name: each for each in _read(file)}
    left = [recording for recording in recordings if recording.name not in known]
    run = make() if left else None
    for start in range(0, len(left), _SLICE):
        part = left[start : start + _SLICE]
        assert run is not None
        before = processor_seconds()
        texts = run(part)
        rate = (processor_seconds() - before) / sum(each.seconds for each in part)
        found = [
            Written(each.name, each.language, each.seconds, each.text, text, each.seconds * rate)
            for each, text in zip(part, texts, strict=True)
        ]
        with file.open("a") as lines:
            lines.writelines(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in found)
        known |= {each.name: each for each in found}
        say(f"  {file.stem}: {len(recordings) - len(left) + start + len(part)} of {len(recordings)}, CPU {rate:.3f}")
    return [known[recording.name] for recording in recordings]


def table(found: Mapping[str, Sequence[Written]], reference: str) -> list[str]:
    """A Markdown table of pooled rates by arm; `reference` is what the last column is the difference to, in points."""
    groups = list(dict.fromkeys(each.group for each in found[reference]))
    lines = [
        "| arm | " + " | ".join(groups) + " | all | points more | CPU seconds per second |",
        "|---" * (len(groups) + 4) + "|",
    ]
    mark = _errors(found[reference]).rate
    for arm, texts in found.items():
        rates = [_errors([each for each in texts if each.group == group]).rate for group in groups]
        whole = _errors(texts).rate
        cost = sum(each.processor for each in texts) / sum(each.seconds for each in texts)
        cells = [*(f"{rate:.2%}" for rate in (*rates, whole)), f"{100 * (whole - mark):+.2f}", f"{cost:.3f}"]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    words = [_errors([each for each in found[reference] if each.group == group]).words for group in groups]
    lines.append("| words | " + " | ".join(map(str, [*words, sum(words)])) + " | | |")
    return lines


def _errors(texts: Sequence[Written]) -> Errors:
    return errors([(each.language, each.said, each.text) for each in texts])


def _read(file: Path) -> Iterator[Written]:
    if file.exists():
        for line in file.read_text().splitlines():
            yield Written(**json.loads(line))
