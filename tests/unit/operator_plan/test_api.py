"""Parsing: what is wrong is said by field; conditions: time moves only when the status flips."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from whisper_operator.api.v1alpha1 import Condition, TranscriptionJob, WhisperTranscriber, mark
from whisper_operator.crdgen.__main__ import files
from whisper_operator.errors import InvalidSpec

META = {"name": "main", "namespace": "speech", "uid": "1"}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"workers": {"replicas": -1}}, "spec.workers.replicas: should be greater than or equal to 0 (it is -1)"),
        ({"workers": {"gpus": 1}}, "spec.workers.gpus is not known to this operator"),
        ({"models": [{}]}, "spec.models[0].name is missing"),
        ({"postgres": {"managed": {"storage": "lots"}}}, "spec.postgres.managed.storage"),
        ({"postgres": {"managed": {"storageClassName": "A B"}}}, "spec.postgres.managed.storageClassName"),
        ({"redis": {"managed": {}, "external": {"secretRef": {"name": "x"}}}}, "spec.redis: takes either"),
        ({"defaultModel": "small"}, "defaultModel small is none of models: base"),
        ({"models": [{"name": "a", "aliases": ["b"]}, {"name": "b"}]}, "each name and alias may be given once"),
        ({"models": [{"name": "a", "source": {}}]}, "spec.models[0].source: takes exactly one"),
        ({"models": [{"name": "a"}, {"name": "b", "engine": "openai-whisper"}]}, "all must use the same engine"),
        ({"images": {"tag": 1}}, "spec.images.tag"),
    ],
)
def test_an_invalid_spec_is_told_by_field(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        WhisperTranscriber.parse({"metadata": META, "spec": spec})
    assert says in str(raised.value)


def test_every_wrong_field_is_told_once() -> None:
    with pytest.raises(InvalidSpec) as raised:
        WhisperTranscriber.parse({"metadata": META, "spec": {"models": [{}], "workers": {"replicas": -1}}})
    assert len(str(raised.value).split("; ")) == 2


def test_no_secret_is_shown_of_an_object_that_is_wrong() -> None:
    with pytest.raises(InvalidSpec) as raised:
        WhisperTranscriber.parse({"metadata": META, "spec": {"images": {"pullSecrets": {"token": "hidden"}}}})
    assert "hidden" not in str(raised.value)


def test_a_job_needs_exactly_one_source() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.source: takes exactly one of http, s3 and configMap"):
        TranscriptionJob.parse({"metadata": META, "spec": {"transcriberRef": {"name": "main"}, "source": {}}})
    both = {"http": {"url": "http://a/b"}, "s3": {"url": "s3://calls/a"}}
    with pytest.raises(InvalidSpec, match=r"spec\.source: takes exactly one"):
        TranscriptionJob.parse({"metadata": META, "spec": {"transcriberRef": {"name": "main"}, "source": both}})


def test_what_the_api_server_adds_is_no_error() -> None:
    cr = WhisperTranscriber.parse(
        {
            "apiVersion": "whisper-operator.dev/v1alpha1",
            "kind": "WhisperTranscriber",
            "metadata": {**META, "managedFields": [], "resourceVersion": "7", "generation": 3},
            "status": {"conditions": [{"type": "Ready", "status": "True", "later": "x"}], "later": {}},
        }
    )
    assert cr.metadata.generation == 3
    assert cr.status is not None
    assert cr.status.conditions[0].status == "True"
    assert cr.key == "speech/main"


def test_the_default_model_may_be_named_by_alias() -> None:
    models = [{"name": "base"}, {"name": "small", "aliases": ["s"]}]
    spec = WhisperTranscriber.parse({"metadata": META, "spec": {"models": models, "defaultModel": "s"}}).spec
    assert spec.main_model.name == "small"


def condition(status: Any, reason: str = "Because") -> Condition:
    return Condition(type="Ready", status=status, reason=reason)


def test_transition_time_moves_only_when_the_status_flips() -> None:
    first = mark([], condition("False"), NOON)
    assert first[0].last_transition_time == NOON
    same = mark(first, condition("False", "Other"), LATER)
    assert (same[0].last_transition_time, same[0].reason) == (NOON, "Other")
    flipped = mark(same, condition("True"), LATER)
    assert flipped[0].last_transition_time == LATER


def test_other_conditions_stay_in_their_place() -> None:
    other = Condition(type="Stalled", status="False", last_transition_time=NOON)
    marked = mark([condition("True"), other], condition("False"), LATER)
    assert [c.type for c in marked] == ["Ready", "Stalled"]
    assert marked[1] is other


def test_the_generated_files_are_up_to_date() -> None:
    root = Path(__file__).parents[3]
    stale = [name for name, content in files().items() if (root / name).read_text(encoding="utf-8") != content]
    assert stale == [], "run `make generate`"
