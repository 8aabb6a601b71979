"""What a worker leaves to others: parts, while it cuts one, and long files, while it opens one."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from whisper_transcriber.domain.job import Claim, Job, JobRequest
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.settings import load_settings
from whisper_transcriber.worker.desk import Desk, longest

SETTINGS = load_settings(part_seconds=100.0)
JOB = Job(uuid4(), JobRequest("base", sha256="00"), "running", datetime(2026, 1, 1, tzinfo=UTC))
FIRST, SECOND = (Claim(JOB, 1, "worker", part=Part(n, 100.0 * n, 100.0 * (n + 1))) for n in range(2))


def test_one_part_is_cut_at_a_time_and_two_are_in_hand() -> None:
    desk = Desk()
    assert desk.most(SETTINGS) == (True, None)
    desk.take(FIRST)
    assert desk.most(SETTINGS)[0] is False
    desk.cut(FIRST)
    assert desk.freed.is_set()
    assert desk.most(SETTINGS)[0] is True
    desk.take(SECOND)
    desk.cut(SECOND)
    assert desk.most(SETTINGS)[0] is False
    desk.off(FIRST)
    assert desk.most(SETTINGS)[0] is True


def test_a_part_that_was_given_up_is_off_the_desk() -> None:
    desk = Desk()
    desk.take(FIRST)
    desk.off(FIRST)
    assert desk.most(SETTINGS)[0] is True


def test_jobs_are_no_parts() -> None:
    desk = Desk()
    desk.take(replace(FIRST, part=None))
    assert desk.most(SETTINGS)[0] is True


async def test_one_long_file_is_opened_at_a_time() -> None:
    desk = Desk()
    async with desk.opening:
        assert desk.most(SETTINGS) == (True, longest(SETTINGS))
    assert 149 < longest(SETTINGS) <= 150
