"""Which transcribers an operator manages: what the chart says, and what becomes of any other `spec.version`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from whisper_operator.api.versions import ANNOTATION, BELOW, LEAST, MANAGED, complaint, release
from whisper_operator.settings import Settings

CHART = Path(__file__).parents[3] / "charts" / "whisper-operator" / "Chart.yaml"


def test_the_chart_says_what_the_operator_does() -> None:
    chart = yaml.safe_load(CHART.read_text())
    assert chart["annotations"][ANNOTATION] == MANAGED
    for own in (chart["appVersion"], Settings().version):
        assert complaint(own) is None, "its own version is one of them"


@pytest.mark.parametrize("tag", [f"{LEAST}", "0.1.0-cuda", "0.1.17", "0.1.0-rc.1", "0.1.0_2"])
def test_a_suffix_does_not_count(tag: str) -> None:
    assert complaint(tag) is None


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("0.0.9", "manages >=0.1.0 <0.2.0: choose a newer one"),
        (f"{BELOW}", "manages >=0.1.0 <0.2.0: upgrade the operator first"),
        ("0.2.0-rc.1", "upgrade the operator first"),
        ("10.1.0", "upgrade the operator first"),
        ("latest", "no version such as 0.1.0"),
        ("0.1", "put a tag of the images that is no version into spec.images.tag"),
        ("v0.1.0", "no version such as"),
    ],
)
def test_any_other_is_refused_with_what_to_do(tag: str, says: str) -> None:
    said = complaint(tag)
    assert said is not None and said.startswith(f"spec.version is {tag}")
    assert says in said


def test_versions_are_compared_as_numbers() -> None:
    assert release("0.10.2") == (0, 10, 2) > (0, 9, 9)


async def test_another_version_changes_nothing_that_runs_and_says_so(world: Any) -> None:
    await world.settle()
    ran = world.cluster["WhisperTranscriber", "main"]["status"]["version"]
    world.edit(version=f"{BELOW}", workers={"replicas": 5})
    world.cluster.writes.clear()
    outcome = await world.look()
    assert outcome.label == "invalid"
    assert {kind for _verb, kind, _name in world.cluster.writes} <= {"WhisperTranscriber", "Event"}
    for kind in ("Ready", "Stalled"):
        assert world.condition(kind)["reason"] == "UnsupportedVersion"
    assert f"spec.version is {BELOW}" in world.condition("Ready")["message"]
    assert world.cluster["WhisperTranscriber", "main"]["status"]["version"] == ran, "what runs is what ran"
    assert world.condition("WorkersReady")["status"] == "True", "the components keep what was seen of them"
    world.edit(version=None, workers={"replicas": 1})
    await world.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_a_tag_of_images_is_not_judged(world: Any) -> None:
    world.edit(images={"tag": "nightly"})
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
