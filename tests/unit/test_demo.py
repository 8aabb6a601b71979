"""The demo's own words: what it says while one waits, and the table at its end."""

from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from demo.__main__ import go_on
from demo.diagnosis import unready
from demo.path import example
from demo.stopwatch import Changes, Stopwatch, duration, indented, missing
from testbed import Cluster


def test_it_says_which_parts_are_missing_and_why() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Progressing"},
        {"type": "Reconciling", "status": "True", "reason": "Progressing"},
        {"type": "DatabaseReady", "status": "True", "reason": "Ready"},
        {"type": "WorkersReady", "status": "False", "reason": "ImagePullFailed"},
        {"type": "ApiReady", "status": "Unknown", "reason": "WaitingForMigration"},
    ]
    assert missing(conditions) == "waiting for workers (ImagePullFailed), api (WaitingForMigration)"
    assert missing([]) == "waiting for the operator"
    assert missing(conditions[2:3]) == "every part is ready"


def test_a_watch_that_repeats_itself_is_told_once() -> None:
    said: list[str] = []
    note = Changes(said.append)
    for line in ("a", "a", "b", "a"):
        note(line)
    assert said == ["a", "b", "a"]


def test_the_table_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = iter([0.0, 4.25, 10.0, 100.0])
    watch = Stopwatch(clock=lambda: next(ticks))
    with watch.step("one"):
        pass
    with watch.step("the second"):
        pass
    assert [line.split() for line in watch.table().splitlines()] == [
        ["one", "4.2", "s"],
        ["the", "second", "1", "min", "30", "s"],
        ["all", "1", "min", "34", "s"],
    ]
    assert "==> the second" in capsys.readouterr().out


def test_a_step_that_fails_is_not_in_the_table() -> None:
    watch = Stopwatch(clock=iter([0.0]).__next__)
    with pytest.raises(RuntimeError), watch.step("breaks"):
        raise RuntimeError
    assert watch.steps == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (725, "12 min 05 s")]
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_pods_worth_a_look() -> None:
    def pod(name: str, phase: str, ready: str) -> dict[str, Any]:
        conditions = [{"type": "Ready", "status": ready}]
        return {"metadata": {"name": name}, "status": {"phase": phase, "conditions": conditions}}

    pods = [pod("well", "Running", "True"), pod("ill", "Running", "False"), pod("done", "Succeeded", "False")]
    assert unready(json.dumps({"items": pods})) == ["ill"]
    assert unready("Unable to connect to the server") == []


def test_what_to_paste_is_a_valid_shell_and_a_valid_program() -> None:
    cluster = Cluster("demo", "node", Path("/kubeconfig"), (), lambda _: None)
    text = go_on(cluster, "demo", "main", Path("/speech/a clip.wav"))
    (line,) = [line for line in text.splitlines() if "python3 -c" in line]
    words = shlex.split(line, comments=True)
    ast.parse(words[2])
    assert words[:2] == ["python3", "-c"]
    assert "service/main-api 8000:80" in text
    assert "make cluster-down NAME=demo" in text


def test_the_demo_applies_the_examples_themselves() -> None:
    assert [m["kind"] for m in example("minimal")] == ["WhisperTranscriber"]
    (job,) = example("job")
    assert job["spec"]["transcriberRef"]["name"] == example("minimal")[0]["metadata"]["name"]
    assert set(job["spec"]["source"]) == {"configMap"}


def test_text_is_moved_right() -> None:
    assert indented("a\n b\n\n") == "  a\n   b"
