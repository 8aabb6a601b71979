"""Jobs as values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.domain.job import Job, JobRequest
from whisper_transcriber.domain.options import Options

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
    ]
    assert len({request.fingerprint for request in [REQUEST, *others]}) == len(others) + 1
    assert replace(REQUEST, priority=9).fingerprint == REQUEST.fingerprint
