"""Nothing reports home, whoever starts the program: the libraries' own switches are off before they are imported."""

import os
import subprocess
import sys

import pytest

SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")

DETECT = "from whisper_transcriber.audio.vad import SpeechDetector; SpeechDetector()"
HUB = """
from pathlib import Path
from whisper_transcriber.domain.model import HuggingFace, ModelUnavailable
from whisper_transcriber.models.fetch import fetch
try:
    fetch(HuggingFace(repo="no name"), Path("nowhere"), "ctranslate2")
except ModelUnavailable:
    pass
import huggingface_hub.constants
assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
"""


@pytest.mark.parametrize(
    ("program", "switch"),
    [
        pytest.param(DETECT, "ORT_DISABLE_TELEMETRY", id="the voice detector"),
        pytest.param(HUB, "HF_HUB_DISABLE_TELEMETRY", id="the hub"),
    ],
)
def test_telemetry_is_off_before_the_library_is_there(program: str, switch: str, tmp_path: object) -> None:
    env = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    # What is set when the library is first imported is what it goes by.
    hook = (
        "import builtins, os, sys\n"
        "real = builtins.__import__\n"
        "def seen(name, *rest, **named):\n"
        "    if name.partition('.')[0] in ('onnxruntime', 'huggingface_hub') and name not in sys.modules:\n"
        f"        assert os.environ.get({switch!r}) == '1', name\n"
        "    return real(name, *rest, **named)\n"
        "builtins.__import__ = seen\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hook + program], env=env, cwd=str(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
