"""An image for a GPU is known by what it carries."""

from pathlib import Path

import pytest

from whisper_transcriber.engine.memory import carries_cuda


@pytest.mark.parametrize("before", ["", "/nowhere:"])
def test_an_image_with_cudas_libraries_is_meant_for_a_gpu(tmp_path: Path, before: str) -> None:
    assert not carries_cuda(f"{before}{tmp_path}")
    (tmp_path / "libcublas.so.12").touch()
    assert carries_cuda(f"{before}{tmp_path}")
    assert not carries_cuda("")
