"""Daemons are found again by who they are, never by a number that somebody else may have by now."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from testbed import process, waiting


def test_a_name_with_parentheses_does_not_confuse_the_start_time() -> None:
    fields = ["S", *(str(number) for number in range(4, 25))]
    assert process.parse_stat(f"12 (a) b (c)) {' '.join(fields)}\n") == ("S", 22)


def test_a_daemon_is_started_found_and_killed(tmp_path: Path) -> None:
    pidfile = process.start("sleeper", ["sleep", "600"], tmp_path)
    who = process.running(pidfile)
    assert who is not None
    assert os.getsid(who.pid) == who.pid  # Ctrl-C in the terminal must not reach it
    process.kill([who])
    waiting.until("the sleeper's end", lambda: process.running(pidfile) is None, timeout=10)
    process.reap()
    assert not Path(f"/proc/{who.pid}").exists()


def test_a_pid_that_somebody_else_has_by_now_is_nobody(tmp_path: Path) -> None:
    me = process.identify(os.getpid())
    assert me is not None
    earlier = replace(me, started=me.started - 1)
    pidfile = tmp_path / "daemon"
    pidfile.write_text(json.dumps(asdict(earlier)))
    assert process.running(pidfile) is None
    process.kill([earlier, replace(me, boot="before the reboot")])  # and this test lives on


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1'])
def test_a_pid_file_that_was_cut_off_is_nobody(tmp_path: Path, content: str) -> None:
    pidfile = tmp_path / "daemon"
    pidfile.write_text(content)
    assert process.running(pidfile) is None
    assert process.running(tmp_path / "absent") is None


def test_waiting_ends_at_once_when_a_needed_daemon_has_died_and_quotes_its_log(tmp_path: Path) -> None:
    pidfile = process.start("server", ["sh", "-c", "echo no port left >&2; exit 1"], tmp_path)
    with pytest.raises(waiting.GaveUp, match=r"server died while waiting for its port(.|\n)*no port left"):
        waiting.until("its port", lambda: False, timeout=60, needs=[pidfile])
    process.reap()


def test_waiting_gives_up() -> None:
    with pytest.raises(waiting.GaveUp, match="in vain for godot"):
        waiting.until("godot", lambda: False, timeout=0)
