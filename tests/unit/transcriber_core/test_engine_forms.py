"""Weights laid out anew for openai-whisper, and how much memory models are thought to take."""

import os
from pathlib import Path

import numpy as np
import pytest

from assets import weights
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.engine.arrange import NotThisForm, arrays, dimensions, state
from whisper_transcriber.engine.memory import budget, footprint, gpu_memory

MIB = 1 << 20


def test_every_value_of_a_converted_model_has_a_place_in_openai_whispers() -> None:
    found = arrays(weights.base() / "model.bin")
    laid_out = state(found)
    assert dimensions(found) == {
        "n_mels": 80,
        "n_audio_ctx": 1500,
        "n_audio_state": 512,
        "n_audio_head": 8,
        "n_audio_layer": 6,
        "n_vocab": 51865,
        "n_text_ctx": 448,
        "n_text_state": 512,
        "n_text_head": 8,
        "n_text_layer": 6,
    }
    # The projection is the embedding under another name; keys have a bias of zeros that openai-whisper lacks.
    others = {name: array for name, array in found.items() if array.ndim and name != "decoder/projection/weight"}
    no_bias = 512 * (6 + 6 + 6)
    assert sum(array.size for array in laid_out.values()) == sum(array.size for array in others.values()) - no_bias
    assert {array.dtype for array in laid_out.values()} == {np.dtype(np.float16)}
    query, key, value = (laid_out[f"decoder.blocks.2.attn.{name}.weight"] for name in ("query", "key", "value"))
    joined = found["decoder/layer_2/self_attention/linear_0/weight"]
    assert np.array_equal(np.concatenate([query, key, value]), joined)


def test_a_file_of_another_kind_is_refused_by_what_is_wrong(tmp_path: Path) -> None:
    whole = (weights.tiny_en() / "model.bin").read_bytes()
    wrong = tmp_path / "model.bin"
    for content, says in [
        (whole[:1000], "ends too early"),
        (b"\x06\0\0\0\x05\0Bert\0" + b"\0" * 64, "holds a Bert"),
        (b"\x05" + whole[1:100], "binary version 5"),
        (b"\x06\0\0\0\x02\0\xff\xff" + b"\0" * 64, "is damaged"),
    ]:
        wrong.write_bytes(content)
        with pytest.raises(NotThisForm, match=says):
            arrays(wrong)


def test_weights_that_are_not_those_of_openai_whisper_are_refused() -> None:
    found = arrays(weights.tiny_en() / "model.bin")
    embeddings, keys = "decoder/embeddings/weight", "encoder/layer_0/self_attention/linear_0/bias"
    with pytest.raises(NotThisForm, match="quantised"):
        state({**found, embeddings: np.zeros(found[embeddings].shape, np.int8)})
    with pytest.raises(NotThisForm, match="have a bias"):
        state({**found, keys: np.ones_like(found[keys])})
    with pytest.raises(NotThisForm, match=f"lacks {embeddings}"):
        state({name: array for name, array in found.items() if name != embeddings})


@pytest.mark.parametrize("version", [1, 2])
def test_models_may_take_what_the_cgroup_leaves(version: int, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:        4194304 kB\nMemFree: 1 kB\n")
    if version == 1:
        (tmp_path / "memory").mkdir()
    file = tmp_path / "memory.max" if version == 2 else tmp_path / "memory" / "memory.limit_in_bytes"
    for limit, left in [(f"{2048 * MIB}\n", 1536), (f"{100 * MIB}\n", 0), ("max\n", 3584), (f"{2**62}\n", 3584)]:
        file.write_text(limit)
        assert budget(None, tmp_path, tmp_path / "meminfo") == left * MIB


def test_a_machine_is_asked_for_its_memory_and_its_gpu() -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < budget(None) < machine
    assert budget(10 * MIB) == 9 * MIB
    found = gpu_memory()
    assert found is None or found > MIB


def test_a_model_is_thought_to_take_more_the_more_bytes_its_values_have() -> None:
    def mib(engine: str, kind: str = "auto", *, gpu: bool = False) -> int:
        spec = ModelSpec.model_validate({"name": "a", "engine": engine, "computeType": kind})
        return footprint(100 * MIB, spec, gpu=gpu) // MIB

    assert (mib("ctranslate2"), mib("ctranslate2", gpu=True), mib("openai-whisper")) == (278, 328, 428)
    assert mib("ctranslate2", "float32") == mib("openai-whisper")
