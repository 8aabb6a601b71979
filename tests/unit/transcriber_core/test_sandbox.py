"""What the decoder's process may still do: nothing but decode."""

import errno
import logging
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core import hostile
from unit.transcriber_core.media import RATE, Samples, samples_of, write_wav
from whisper_transcriber.audio import Limits, decode, process
from whisper_transcriber.domain.audio import InvalidAudio

DECODER = Path(process.__file__).with_name("decoder")
LIMITS = Limits(wait_seconds=60)  # a filter that is not there shows as a call that waits


@pytest.fixture(scope="module")
def spoken() -> Samples:
    return samples_of(speech.prompt("demo-congrats").path)[: RATE * 8]


def confined(attempt: str, before: str = "") -> "subprocess.CompletedProcess[str]":
    """A program that attempts something once it is confined; it prints the error's number where there is one."""
    program = f"""
import _thread, ctypes, mmap, os, socket, sys
sys.path.insert(0, {str(DECODER)!r})
import sandbox
libc = ctypes.CDLL(None, use_errno=True)
{before}
assert sandbox.confine() is None, "there is a filter"
try:
    {attempt}
except (OSError, RuntimeError) as error:
    os.write(1, str(getattr(error, "errno", error)).encode())
else:
    os.write(1, b"done")
os._exit(0)
"""
    return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "attempt",
    [
        "os.open('/etc/passwd', os.O_RDONLY)",
        "os.stat('/etc/passwd')",
        "os.listdir('/')",
        "os.readlink('/proc/self/exe')",
        "os.unlink('/tmp/nothing-is-here')",
        "os.rename('/tmp/nothing-is-here', '/tmp/nor-here')",
        "os.mkdir('/tmp/nothing-is-here')",
        "os.fork()",
        "os.dup(1)",
        "os.pipe()",
        "os.nice(1)",
        "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    ],
)
def test_what_a_library_may_ask_for_in_vain_is_denied(attempt: str) -> None:
    ended = confined(attempt)
    assert (ended.returncode, ended.stdout) == (0, str(errno.EPERM)), ended.stderr


def test_no_thread_is_started() -> None:
    ended = confined("_thread.start_new_thread(print, ())")
    assert (ended.returncode, ended.stdout) == (0, "can't start new thread"), ended.stderr


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_UNIX)",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "libc.ptrace(16, os.getppid(), 0, 0)",
        "libc.unshare(0x10000000)",
        "libc.memfd_create(b'a', 0)",
        "os.setuid(0)",
    ],
)
def test_what_no_decoder_does_ends_the_process(attempt: str) -> None:
    ended = confined(attempt)
    assert (ended.returncode, ended.stdout) == (-signal.SIGSYS, ""), ended.stderr


def test_an_open_socket_is_of_no_use() -> None:
    """Not that there is one: but a filter that only took `socket` away would pass the tests above."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = confined(f"made.connect({listener.getsockname()!r})", before="made = socket.socket()")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert ended.returncode == -signal.SIGSYS


def test_memory_does_not_become_code() -> None:
    attempt = "libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]; "
    attempt += "os.write(1, str(libc.mprotect(page, 4096, 5)).encode())"
    before = "libc.mmap.restype = ctypes.c_void_p; page = libc.mmap(None, 4096, 3, 34, -1, 0)"
    assert confined(attempt, before).stdout == "-1done"


def test_a_decoder_at_work_is_confined_and_leaves_nothing_behind(
    spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHISPER_API_KEY", "hidden")
    with decode(write_wav(tmp_path / "a.wav", np.tile(spoken, 20))) as decoding:
        next(decoding)
        proc = Path(f"/proc/{decoding.pid}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        environment = (proc / "environ").read_bytes()
        limits = (proc / "limits").read_text()
        descriptors = sorted(int(entry.name) for entry in (proc / "fd").iterdir())
    assert (status["Seccomp"], status["NoNewPrivs"], status["Threads"]) == ("2", "1", "1")
    assert b"hidden" not in environment
    assert descriptors == [0, 1, 2]
    assert "Max file size             0" in limits
    assert "Max open files            0" in limits
    assert not proc.exists()


def other_decoder(folder: Path, before: str) -> Path:
    """The decoder's program, with something done to it first."""
    folder.mkdir()
    start = f"import runpy, sys; sys.path.insert(0, {str(DECODER)!r})"
    (folder / "__main__.py").write_text(f"{start}\n{before}\nrunpy.run_path({str(DECODER)!r}, None, '__main__')")
    return folder


@pytest.mark.parametrize("name", ["concat to HTTP", "SDP"])
def test_without_the_whitelists_the_filter_still_stops_a_call(
    name: str, spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = "import media; media.OPTIONS.clear(); media.OPTIONS['safe'] = '0'"
    monkeypatch.setattr(process, "_PROGRAM", other_decoder(tmp_path / "open", before))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = tmp_path / "file"
        path.write_bytes(hostile.ALL[name].made(hostile.Bait(listener.getsockname()[1], path, spoken)))
        with decode(path, LIMITS) as decoding, pytest.raises(InvalidAudio, match="attempt what it may not do"):
            next(decoding)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert "Killed a decoder" in caplog.text


def test_without_the_whitelists_the_filter_still_keeps_files_shut(
    spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = "import media; media.OPTIONS.clear(); media.OPTIONS['safe'] = '0'"
    monkeypatch.setattr(process, "_PROGRAM", other_decoder(tmp_path / "open", before))
    decoy, path = write_wav(tmp_path / "decoy.wav", spoken), tmp_path / "file"
    path.write_bytes(hostile.ALL["concat to a file"].made(hostile.Bait(0, decoy, spoken)))
    with decode(path) as decoding, pytest.raises(InvalidAudio):
        next(decoding)


def test_without_seccomp_it_decodes_and_says_so_once(
    spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = other_decoder(tmp_path / "bare", "sys.modules['pyseccomp'] = None")
    monkeypatch.setattr(process, "_PROGRAM", program)
    path = write_wav(tmp_path / "a.wav", spoken)
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        with decode(path) as decoding:
            assert sum(map(len, decoding)) == len(spoken)
    (record,) = caplog.records
    assert "without a seccomp filter" in record.message
    assert "pyseccomp" in record.reason  # type: ignore[attr-defined]


def test_without_seccomp_nothing_can_be_opened_either() -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(DECODER)!r})
sys.modules["pyseccomp"] = None
import sandbox
assert "pyseccomp" in sandbox.confine()
try:
    os.open("/etc/passwd", os.O_RDONLY)
except OSError as error:
    os._exit(error.errno)
"""
    ended = subprocess.run([sys.executable, "-I", "-c", program], check=False)
    assert ended.returncode == errno.EMFILE


def test_a_broken_installation_is_not_the_sender_s_fault(
    spoken: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PROGRAM", other_decoder(tmp_path / "broken", "sys.modules['av'] = None"))
    with decode(write_wav(tmp_path / "a.wav", spoken)) as decoding, pytest.raises(RuntimeError, match="cannot start"):
        next(decoding)
