"""The word-error gate's own arithmetic, and that a run that was cut short goes on where it was."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import words
from benchmarks.arms import Run
from benchmarks.material import Recording
from benchmarks.measure import errors


def recording(number: int, language: str = "en") -> Recording:
    return Recording(np.zeros(16_000, np.float32), f"press {number} now", language, f"{language}/clip-{number}")


def test_wrong_words_are_pooled_after_the_normaliser_of_the_language() -> None:
    found = errors([("en", "I'm at twenty one.", "I am at 21"), ("fr", "Été, oui", "été non")])
    assert (found.words, found.wrong) == (6, 1)


def test_an_arm_goes_on_where_an_earlier_run_was_cut_short(tmp_path: Path) -> None:
    heard: list[str] = []

    def run(recordings: Sequence[Recording]) -> list[str]:
        if len(heard) >= 12:
            raise KeyboardInterrupt
        heard.extend(each.name for each in recordings)
        return [each.text for each in recordings]

    def make() -> Run:
        return run

    file, all_ = tmp_path / "arm.jsonl", [recording(number) for number in range(20)]
    with pytest.raises(KeyboardInterrupt):
        words.written(make, file, all_, lambda line: None)
    assert len(heard) == 12
    heard.clear()
    found = words.written(make, file, all_, lambda line: None)
    assert heard == [each.name for each in all_[12:]]
    assert [each.name for each in found] == [each.name for each in all_]
    assert words.written(lambda: pytest.fail("nothing is left"), file, all_, lambda line: None) == found


def test_the_table_has_the_difference_to_the_reference_in_points() -> None:
    right = [words.Written(f"en/{n}", "en", 1.0, "press one now", "press one now", 0.1) for n in range(10)]
    wrong = [words.Written(f"en/{n}", "en", 1.0, "press one now", "press one" if n else "now", 0.1) for n in range(10)]
    table = words.table({"reference": right, "other": wrong}, "reference")
    assert "| other | 36.67% | 36.67% | +36.67 | 0.100 |" in table
