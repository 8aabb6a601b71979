"""openai-whisper beside CTranslate2 on the same weights, and what only it has: its own checkpoints."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from assets import speech, weights
from contract.engine.engines import CTRANSLATE2, ENGLISH, TORCH, english, items, real, some
from contract.engine.torch_engine import TorchEngine, write_checkpoint
from unit.transcriber_core.wording import error_rate
from whisper_transcriber.batching import Pipeline
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.engine.port import Phrase, Sampling
from whisper_transcriber.models import resolve


@pytest.mark.parametrize("model", ["tiny.en", "base"])
def test_both_engines_hear_the_same(model: str) -> None:
    torch, other = ({clip: made.text for clip, made in english(by, model)} for by in (TORCH, CTRANSLATE2))
    rates = [error_rate([(clip.text, texts[clip]) for clip in torch]) for texts in (torch, other)]
    assert rates[0] <= rates[1] + 0.02
    assert error_rate([(other[clip], torch[clip]) for clip in torch]) <= 0.05


def test_both_engines_place_words_alike() -> None:
    """The same text is said to both, so that only their placing differs."""
    samples = items(speech.prompt("demo-congrats"))[0].samples[: 16_000 * 10]
    placed = []
    phrases: Sequence[Phrase] | None = None
    for by in (real(CTRANSLATE2, "base"), real(TORCH, "base")):
        rows = by.encode([samples])
        phrases = phrases or by.decode(rows, [ENGLISH], Sampling(beam_size=1))[0].phrases
        placed.append([word for phrase in by.align(rows, [ENGLISH], [phrases])[0] for word in phrase])
    first, second = placed
    assert [word.word for word in first] == [word.word for word in second]
    assert np.median([abs(a.start - b.start) for a, b in zip(first, second, strict=True)]) <= 0.06


def test_a_checkpoint_of_openai_whisper_does_as_the_converted_model(tmp_path: Path) -> None:
    converted = weights.tiny_en()
    write_checkpoint(converted, tmp_path / "tiny.en.pt")
    (tmp_path / "config.json").write_bytes((converted / "config.json").read_bytes())  # names the heads that place words
    spec = ModelSpec(name="tiny.en", source=Source(path=str(tmp_path)), engine=TORCH)
    checkpoint = TorchEngine(resolve(spec, Path("/models"), tmp_path), spec, 2)
    with (tmp_path / "tiny.en.pt").open("rb") as file:
        assert checkpoint.digest == f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    asked = items(some("en", 1)[0], Options(word_timestamps=True))
    assert Pipeline(checkpoint).run(asked) == Pipeline(real(TORCH, "tiny.en")).run(asked)


def test_what_torch_cannot_load_or_compute_says_what_to_change(tmp_path: Path) -> None:
    files = resolve(ModelSpec(name="tiny.en", source=Source(path=str(weights.tiny_en()))), tmp_path, tmp_path)
    int8 = ModelSpec(name="tiny.en", engine=TORCH, compute_type="int8")
    with pytest.raises(ModelUnavailable, match="cannot do on this cpu: use auto, or float32"):
        TorchEngine(files, int8, 1)
    for name in ("model.bin", "model.pt"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(ModelUnavailable, match=r"cannot be loaded .* check that it is a checkpoint"):
            TorchEngine(ModelFiles(tmp_path, "sha256:0", name), ModelSpec(name="a", engine=TORCH), 1)


def test_a_short_input_is_used_where_it_is_asked_for() -> None:
    asked = [item for clip in some("en", 3) for item in items(clip, Options(word_timestamps=True))]
    texts = {}
    for kind, states in (("auto", 1500), ("short", 300)):
        spec = ModelSpec.model_validate({"name": "tiny.en", "engine": "openai-whisper", "encoderInput": kind})
        spec = spec.model_copy(update={"source": Source(path=str(weights.tiny_en()))})
        torch = TorchEngine(resolve(spec, Path("/models"), Path("/nonexistent")), spec, 2)
        assert len(torch.encode([np.zeros(SAMPLE_RATE * 4, np.float32)])[0].states.hidden) == states
        texts[kind] = [words(result) for result in Pipeline(torch).run(asked)]
    assert error_rate(list(zip(texts["auto"], texts["short"], strict=True))) <= 0.1


def words(result: WindowResult) -> str:
    return "".join(word.word for segment in result.segments for word in segment.words)
