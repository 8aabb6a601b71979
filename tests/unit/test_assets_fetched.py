"""The fetched assets are what the tests take them for (downloads on first use)."""

import wave
from pathlib import Path

import pytest

from assets import speech, weights


def test_weights_are_whole_folders_named_like_the_model() -> None:
    for folder, name in ((weights.tiny_en(), "tiny.en"), (weights.base(), "base")):
        assert folder.name == name
        assert {f.name for f in folder.iterdir()} == {"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"}


def test_a_model_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"something else")
    with pytest.raises(weights.WeightsUnavailable, match=r"model\.bin has the SHA-256"):
        weights._verify(tmp_path / "model.bin", weights.BASE.model_sha256)


@pytest.mark.parametrize("language", speech.LANGUAGES)
def test_every_language_has_minutes_of_prompts(language: str) -> None:
    clips = speech.sentences(language)
    assert sum(clip.seconds for clip in clips) > 10 * 60
    with wave.open(str(clips[0].path)) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (16000, 1, 2)
        assert recording.getnframes() / 16000 == clips[0].seconds


def test_a_prompt_comes_with_its_words() -> None:
    clip = speech.prompt("demo-congrats")
    assert clip.text.startswith("Congratulations. You have successfully installed")
    assert 20 < clip.seconds < 40


def test_a_long_clip_is_long_enough_and_repeats_itself() -> None:
    clip = speech.long(60)
    assert 60 <= clip.seconds < 100
    assert clip == speech.long(60)
    with wave.open(str(clip.path)) as recording:
        assert recording.getnframes() / 16000 == clip.seconds


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="en, es, fr, it, ru"):
        speech.prompts("xx")
