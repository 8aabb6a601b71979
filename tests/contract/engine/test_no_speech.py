"""No text is made of what is no speech, with the settings that keep the words of quiet speech: real weights, sounds."""

from difflib import SequenceMatcher
from functools import cache

import numpy as np
import pytest

from assets import sounds, speech
from contract.engine.recordings import Samples, real, transcribed
from unit.transcriber_core import noises
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.wording import normalised
from whisper_transcriber.domain.options import Options

RATE = 16_000
MODELS = ["base", "tiny.en"]


def nothing_said() -> dict[str, Samples]:
    """Twenty seconds each of all that a microphone may hear; beeps three times; music for as long as it lasts."""
    made = {
        f"{colour} {level}": noises.noise(colour, 20, level)
        for colour in ("white", "pink", "brown")
        for level in (0.001, 0.01, 0.05, 0.2)
    }
    made |= {
        "silence": np.zeros(20 * RATE, np.float32),
        "one bit": np.resize(np.array([0, 1 / 32768], np.float32), 20 * RATE),
        "hum": noises.hum(20, 0.2),
        "chords": noises.chords(20),
        "dialling": noises.dialling(60),
        "breathing": noises.breathing(20),
    }
    pause = np.zeros(RATE, np.float32)
    made |= {name: np.concatenate([samples_of(path), pause] * 3) for name, path in sounds.beeps().items()}
    return made | {name: samples_of(path) for name, path in sounds.music().items()}


@pytest.mark.parametrize("model", MODELS)
def test_what_is_no_speech_has_no_text(model: str) -> None:
    found = nothing_said()
    texts = transcribed(real(model), list(found.values()))
    assert {name: made.text for name, made in zip(found, texts, strict=True) if made.text} == {}


def clips() -> list[speech.Clip]:
    some = [clip for clip in speech.sentences("en") if clip.seconds < 12]
    return some[:: len(some) // 20][:20]


@cache
def words(model: str, gain: float, noise: float) -> list[list[str]]:
    """What is heard in the clips at a loudness, with pink noise that is by so much weaker than they are."""
    recordings = [samples_of(clip.path) for clip in clips()]
    loud = [np.sqrt(np.mean(np.square(samples))) for samples in recordings]
    noisy = [
        gain * (samples + (noises.noise("pink", len(samples) / RATE, noise * level) if noise else 0))
        for samples, level in zip(recordings, loud, strict=True)
    ]
    # As a file of 16 bits has it: at -40 dB little is left.
    coarse = [np.asarray(np.round(samples * 32768) / 32768, np.float32) for samples in noisy]
    return [normalised(made.text) for made in transcribed(real(model), coarse, Options(language="en"))]


def kept(model: str, *ways: tuple[float, float]) -> float:
    """Of the words that are heard right at full loudness, the part that is heard so too in each of these ways."""
    right = same = 0
    for gain, noise in ways:
        for clip, full, here in zip(clips(), words(model, 1.0, 0.0), words(model, gain, noise), strict=True):
            correct = _common(full, normalised(clip.text))
            right += len(correct)
            same += len(_common(correct, here))
    return same / right


def _common(one: list[str], other: list[str]) -> list[str]:
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return [one[block.a + i] for block in blocks for i in range(block.size)]


def test_quiet_speech_keeps_its_words() -> None:
    """By 20 and 40 dB quieter; with the small model, which mishears more, at the quietest only."""
    assert kept("base", (0.1, 0.0), (0.01, 0.0)) >= 0.99
    assert kept("tiny.en", (0.01, 0.0)) >= 0.99


def test_speech_in_noise_keeps_its_words() -> None:
    """Noise by 20 dB weaker than the speech, which makes the model mishear a word now and then, but lose none."""
    assert kept("base", (1.0, 0.1)) >= 0.98
    heard = [sum(map(len, words("base", 1.0, noise))) for noise in (0.0, 0.1)]
    assert heard[1] >= 0.99 * heard[0]


def test_one_word_alone_is_kept_loud_and_quiet() -> None:
    """The shortest that people say, with a second of silence around it."""
    names = ["digits/1", "digits/7", "hello", "letters/b", "auth-thankyou", "vm-goodbye"]
    alone = [np.pad(samples_of(speech.prompt(name).path), RATE) for name in names]
    for gain in (1.0, 10**-1.5):
        texts = [
            made.text
            for made in transcribed(
                real("base"), [samples * np.float32(gain) for samples in alone], Options(language="en")
            )
        ]
        assert all(texts), texts


def test_noise_and_music_beside_speech_add_nothing_to_it() -> None:
    clip = speech.prompt("ss-noservice")
    spoken = samples_of(clip.path)
    music = samples_of(sounds.music()["macroform-the_simplicity"])[: 20 * RATE]
    mixed = np.concatenate([music, spoken, noises.noise("pink", 20, 0.02), spoken, noises.breathing(10)])
    (made,) = transcribed(real("base"), [mixed], Options(language="en"))
    assert normalised(made.text) == normalised(clip.text) * 2
