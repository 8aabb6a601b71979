"""Servers over TLS that are told of a new certificate: only they are told."""

import signal
import subprocess

from services.secured import hang_up


def test_a_signal_meets_the_process_that_was_meant_and_no_later_one_of_its_pid() -> None:
    with subprocess.Popen(["env", "--default-signal=HUP", "sleep", "60"]) as server:
        try:
            *command, started = hang_up(server.pid)
            assert subprocess.run([*command, str(int(started) - 1)], check=False).returncode != 0
            assert server.poll() is None
            assert subprocess.run([*command, started], check=False).returncode == 0
            assert server.wait(10) == -signal.SIGHUP
        finally:
            server.kill()
    ended = subprocess.run([*command, started], capture_output=True, check=False)
    assert ended.returncode != 0
