"""Jobs as values."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.domain.job import Job, JobRequest
from whisper_transcriber.domain.options import Options, Vad

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REQUEST = JobRequest("base", sha256="00")
JOB = Job(uuid4(), REQUEST, "running", NOON)


@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_progress_is_a_percentage_that_reaches_100_only_at_the_end(done: float, total: float | None) -> None:
    job = replace(JOB, processed_seconds=done, audio_seconds=total)
    assert 0 <= job.progress <= 99
    assert replace(job, status="succeeded").progress == 100


def test_the_real_time_factor_is_wall_time_per_second_of_audio() -> None:
    done = replace(JOB, audio_seconds=60.0, started_at=NOON, finished_at=NOON + timedelta(seconds=3))
    assert done.real_time_factor is None
    assert replace(done, status="succeeded").real_time_factor == pytest.approx(0.05)


def test_requests_that_differ_have_different_fingerprints() -> None:
    others = [
        replace(REQUEST, model="tiny"),
        replace(REQUEST, sha256="01"),
        replace(REQUEST, sha256=None, source_url="http://a/b"),
        replace(REQUEST, options=Options(language="de")),
        replace(REQUEST, options=Options(word_timestamps=True)),
        replace(REQUEST, options=Options(hotwords=("Kubernetes",))),
        replace(REQUEST, options=Options(languages=("de", "fr"))),
        replace(REQUEST, options=Options(vad=Vad(threshold=0.7))),
        replace(REQUEST, options=Options(vad=Vad(prefix_padding_ms=0))),
    ]
    assert len({request.fingerprint for request in [REQUEST, *others]}) == len(others) + 1
    assert replace(REQUEST, priority=9).fingerprint == REQUEST.fingerprint


def test_a_request_of_the_first_version_keeps_its_fingerprint() -> None:
    """An Idempotency-Key stands for the same request after an upgrade as well."""
    assert REQUEST.fingerprint == "71f384149aef32231beb24162c8317032d68b337f71f75fa5c94a5bf5ec51da8"


OPTIONS = st.builds(
    Options,
    language=st.none() | st.sampled_from(["de", "en"]),
    task=st.sampled_from(["transcribe", "translate"]),
    prompt=st.none() | st.text(max_size=9),
    temperature=st.floats(0, 1),
    word_timestamps=st.booleans(),
    hotwords=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    languages=st.lists(st.sampled_from(["de", "en"]), max_size=2).map(tuple),
    vad=st.builds(Vad, st.none() | st.floats(0, 1), st.none() | st.integers(0, 9999), st.none() | st.integers(0, 9999)),
)


@given(OPTIONS)
def test_options_are_read_as_they_were_written(options: Options) -> None:
    assert Options.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_options_that_were_stored_by_the_first_version_can_be_read_and_the_other_way_round() -> None:
    stored = {"language": "de", "task": "translate", "prompt": None, "temperature": 0.2, "word_timestamps": True}
    options = Options("de", "translate", None, 0.2, True)
    assert Options.from_dict(stored) == options
    assert options.to_dict() == stored
