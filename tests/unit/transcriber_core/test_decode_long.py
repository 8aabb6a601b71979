"""Ten hours in one file: neither the reader nor the decoder grows with them."""

from pathlib import Path

import numpy as np
import pytest

from unit.transcriber_core.media import RATE, encoded
from whisper_transcriber.audio import Limits, decode
from whisper_transcriber.domain.audio import InvalidAudio

MIB = 1024**2
HOURS = 10


def resident(pid: int | str) -> int:
    """The bytes of memory that a process has now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def write_hours(path: Path, hours: int) -> Path:
    """Silence and a tone in every minute: FLAC, whose frames stand for themselves, 4.5 MB an hour."""
    minute = np.zeros(60 * RATE, np.float32)
    minute[50 * RATE :] = 0.1 * np.sin(np.arange(10 * RATE) * 0.2)
    path.write_bytes(encoded("flac", "flac", minute) * (60 * hours))
    return path


def test_memory_does_not_grow_with_the_duration(tmp_path: Path) -> None:
    with decode(write_hours(tmp_path / "a", HOURS)) as decoding:
        for number, block in enumerate(decoding):
            if number == 55:
                assert np.abs(block).max() == pytest.approx(0.1, abs=0.01)
                before = np.array([resident("self"), resident(decoding.pid)])
                most = before
            elif number % 600 == 55:
                most = np.maximum(most, [resident("self"), resident(decoding.pid)])
    assert (decoding.seconds, decoding.warning) == (HOURS * 3600, None)
    assert (most - before < 20 * MIB).all(), "all samples would be 2.2 GiB"


def test_processor_time_is_limited(tmp_path: Path) -> None:
    path = write_hours(tmp_path / "a", HOURS)
    with decode(path, Limits(cpu_seconds=1)) as decoding, pytest.raises(InvalidAudio, match="too long to decode"):
        for _ in decoding:
            pass
    assert 60 < decoding.seconds < HOURS * 3600
