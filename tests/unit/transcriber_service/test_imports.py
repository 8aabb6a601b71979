"""The API's image has no model code: `serve` and `migrate` must not import it."""

import subprocess
import sys

import pytest

HEAVY = ["ctranslate2", "faster_whisper", "av", "numpy", "onnxruntime", "tokenizers", "huggingface_hub", "torch"]

PROGRAM = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(name + " is not in the API's image")

sys.meta_path.insert(0, Block())
from whisper_transcriber import __main__, wiring
from whisper_transcriber.app import create_app
from whisper_transcriber.settings import load_settings
deps = wiring.build(load_settings(database_url="postgresql://h/d"))
create_app(deps).openapi()
try:
    __main__.main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
found = sorted(set(sys.modules) & set({HEAVY!r}))
assert not found, found
"""


def test_the_api_imports_no_model_code() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "transcribe" in ended.stdout


@pytest.mark.parametrize("module", ["whisper_transcriber.worker"])
def test_the_worker_does(module: str) -> None:
    """The block works: what needs the model code fails under it."""
    program = PROGRAM.replace("from whisper_transcriber import __main__, wiring", f"import {module}")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "is not in the API's image" in ended.stderr
