"""The course of a batch: whatever happens to its jobs and its workers, each line is written once, in order."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.domain.batch_records import answered, refusal_body, unanswered
from whisper_transcriber.domain.batches import (
    CHUNK,
    Batch,
    Line,
    Outcome,
    Problem,
    Refusal,
    checked,
    counted,
    finalizing,
    late,
    outcomes,
    over,
    ripe,
    room,
    written,
)
from whisper_transcriber.domain.files import Segment
from whisper_transcriber.domain.job import Job, JobRequest, Status
from whisper_transcriber.domain.options import Options

STATES: list[Status] = ["succeeded", "succeeded", "failed", "running"]
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def batch(**fields: Any) -> Batch:
    made = Batch(uuid4(), "a", "/v1/audio/transcriptions", uuid4(), NOW, NOW + timedelta(days=1))
    return replace(made, **fields)


def job(id_: UUID, status: Status) -> Job:
    return Job(id_, JobRequest("base", sha256="00"), status, NOW)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), total=st.integers(1, 130), ahead=st.integers(1, 150))
def test_each_line_is_made_and_written_once_whatever_dies(seed: int, total: int, ahead: int) -> None:
    """Steps that are cut off anywhere: what was not recorded is as if it had not been."""
    chance = Random(seed)  # drawn by Hypothesis one by one, so many take too long
    now, jobs, lines = NOW, dict[UUID, Job](), list[tuple[int, Outcome]]()
    kept = checked(batch(), total, (), now)
    for _ in range(20 * total + 200):
        if kept.ended:
            break
        stops = chance.choices(["", "cancel", "time"], [98, 1, 1])[0]
        now = kept.expires_at if stops == "time" else now
        if stops == "cancel" and kept.cancelling_at is None:
            kept = replace(kept, cancelling_at=now)
        dies = chance.choice([0, 1, 2, 9, 9, 9, 9])
        step = late(kept, now)
        if not step.stopped:
            for line in range(step.made, step.reserved):
                assert line < step.written + ahead, "no more at work than allowed"
                jobs.setdefault(step.job(line), job(step.job(line), "queued"))
        if dies == 0:
            continue
        step = replace(step, made=step.reserved)
        if step.stopped:
            jobs = {id_: each if each.ended else replace(each, status="cancelled") for id_, each in jobs.items()}
        known = outcomes(step, jobs)
        count = ripe(step, known, ahead)
        assert "pending" not in known[:count]
        if dies == 1:
            continue
        if count:
            new = [(step.written + place, outcome) for place, outcome in enumerate(known[:count])]
            completed = known[:count].count("completed")
            output = Segment(uuid4(), completed) if completed else None
            errors = Segment(uuid4(), count - completed) if count > completed else None
            kept = step = written(step, completed, count - completed, output, errors)
            lines += new
        known = known[count:]
        if dies == 2:
            continue
        step = counted(step, known)
        assert step.completed + step.failed <= total
        if step.written == total:
            kept = over(finalizing(step, now), now)
            continue
        kept = replace(step, reserved=step.reserved + room(step, ahead))
        for id_, each in jobs.items():
            if not each.ended and chance.random() < 0.5:
                status = chance.choice(STATES)
                jobs[id_] = replace(each, status=status)
    assert kept.ended
    assert [number for number, _ in lines] == list(range(total))
    assert (kept.completed, kept.failed) == (kept.written_completed, kept.written_failed)
    assert kept.completed == sum(outcome == "completed" for _, outcome in lines) == sum(s.bytes for s in kept.output)
    assert kept.completed + kept.failed == kept.total
    assert len(jobs) <= total
    expected = "cancelled" if kept.cancelling_at else "expired" if kept.expired_at else "completed"
    assert kept.status == expected


@given(st.lists(st.sampled_from(["pending", "completed", "failed"]), max_size=300), st.integers(1, 400))
def test_what_is_written_is_in_order_and_enough(known: Sequence[Outcome], ahead: int) -> None:
    made = batch(total=300, made=len(known), reserved=len(known))
    count = ripe(made, known, ahead)
    assert 0 <= count <= CHUNK
    assert "pending" not in known[:count]
    if len(known) >= min(CHUNK, ahead) and "pending" not in known:
        assert count, "a full window never waits for itself"


def test_a_file_that_is_wrong_fails_the_batch() -> None:
    problems = [Problem("invalid_value", "no", line) for line in range(1, 200)]
    failed = checked(batch(), 200, problems, NOW)
    assert (failed.status, len(failed.problems), failed.ended_at, failed.total) == ("failed", 100, NOW, 0)


def test_time_is_up_only_for_what_is_not_done() -> None:
    end = NOW + timedelta(days=1)
    assert late(batch(), end - timedelta(seconds=1)).stopped is None
    assert late(batch(recorded="in_progress"), end).stopped == "batch_expired"
    assert late(batch(recorded="finalizing"), end).stopped is None
    assert late(batch(cancelling_at=NOW), end).stopped == "batch_cancelled"


def test_refusals_are_forgotten_once_they_are_written() -> None:
    no = Refusal(404, "file_not_found", "Gone.", "body.file")
    made = batch(total=9, made=4, reserved=4, refused={0: no, 3: no})
    assert written(made, 1, 1, None, None).refused == {3: no}
    assert refusal_body(no)["error"]["type"] == "invalid_request_error"
    assert refusal_body(replace(no, status=503))["error"]["type"] == "server_error"


@pytest.mark.parametrize("upload", [None, uuid4()])
def test_a_line_reads_back(upload: UUID | None) -> None:
    request = JobRequest("base", Options(language="de", hotwords=("Ähre",), logprobs=True), -50, "https://a.example/")
    line = Line("eins", request, "verbose_json", ("word",), upload)
    assert Line.from_dict(json.loads(json.dumps(line.to_dict()))) == line


def test_records_have_openais_form() -> None:
    made = batch()
    good = json.loads(answered(made, 3, "Straße", 200, {"text": "Hi"}))
    assert good == {
        "id": f"batch_req_{made.job(3).hex}",
        "custom_id": "Straße",
        "response": {"status_code": 200, "request_id": str(made.job(3)), "body": {"text": "Hi"}},
        "error": None,
    }
    bad = json.loads(unanswered(made, 3, "x", "batch_expired", "Late."))
    assert (bad["response"], bad["error"]) == (None, {"code": "batch_expired", "message": "Late."})
    assert answered(made, 3, "x", 200, "a\nb").count("\n") == 1
