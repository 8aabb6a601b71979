"""What the engines make of real speech with real weights."""

import numpy as np
import pytest

from assets import speech
from contract.engine.engines import CTRANSLATE2, DIGESTS, ENGLISH, REAL, TORCH, english, items, real, some, transcribed
from unit.transcriber_core.wording import error_rate
from whisper_transcriber import audio
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.model import EngineName
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import stitch
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Prompt, Sampling


@pytest.mark.parametrize(("by", "model"), REAL)
def test_english_prompts_are_understood(by: EngineName, model: str) -> None:
    digest, done = f"sha256:{DIGESTS[model]}", english(by, model)
    assert {made.language for _, made in done} == {"en"}
    assert {(made.model, made.model_digest, made.engine) for _, made in done} == {(model, digest, by)}
    assert error_rate([(clip.text, made.text) for clip, made in done]) <= 0.08


@pytest.mark.parametrize(
    ("by", "clips", "language"),
    [*((CTRANSLATE2, 4, language) for language in ("es", "fr", "it", "ru")), (TORCH, 2, "fr"), (TORCH, 2, "ru")],
)
def test_other_languages_are_detected_and_understood(by: EngineName, clips: int, language: str) -> None:
    done = list(transcribed(real(by, "base"), some(language, 4)[:clips]))
    assert {made.language for _, made in done} == {language}
    assert error_rate([(clip.text, made.text) for clip, made in done], language) <= 0.35


@pytest.mark.parametrize("engine_name", [CTRANSLATE2, TORCH])
def test_one_batch_may_mix_languages_tasks_and_prompts(engine_name: EngineName) -> None:
    by, in_french, in_english = real(engine_name, "base"), some("fr", 1)[0], some("en", 1)[0]
    wanted = [
        items(in_french)[0],
        items(in_french, Options(task="translate"))[0],
        items(in_english, Options(prompt="Asterisk"))[0],
        items(in_english, Options(language="en", word_timestamps=True))[0],
    ]
    pipeline = Pipeline(by, beam_size=1)
    together = pipeline.run(wanted)
    alone = [pipeline.run([item])[0] for item in wanted]
    assert [result.segments for result in together] == [result.segments for result in alone]
    assert [result.language for result in together] == ["fr", "fr", "en", "en"]
    text = ["".join(segment.text for segment in result.segments) for result in together]
    assert text[0] != text[1]
    assert [bool(result.segments[0].words) for result in together] == [False, False, False, True]


@pytest.mark.parametrize("engine_name", [CTRANSLATE2, TORCH])
def test_rows_of_one_call_have_prompts_of_their_own(engine_name: EngineName) -> None:
    by, samples = real(engine_name, "base"), items(some("fr", 1)[0])[0].samples
    rows, prompts = by.encode([samples, samples]), [Prompt("fr"), Prompt("fr", "translate")]
    together = by.decode(rows, prompts, Sampling(beam_size=1))
    alone = [by.decode([row], [prompt], Sampling(beam_size=1))[0] for row, prompt in zip(rows, prompts, strict=True)]
    assert [decoded.text for decoded in together] == [decoded.text for decoded in alone]
    assert together[0].text != together[1].text


def test_a_long_recording_comes_through_whole() -> None:
    clip = speech.long(200)
    ((_, made),) = transcribed(real(CTRANSLATE2, "tiny.en"), [clip], Options(word_timestamps=True))
    assert error_rate([(clip.text, made.text)]) <= 0.06
    assert all(word.end <= clip.seconds for word in made.words)
    assert made.words[-1].end > clip.seconds - 15
    starts = [segment.start for segment in made.segments]
    assert starts == sorted(starts)


@pytest.mark.parametrize("engine_name", [CTRANSLATE2, TORCH])
def test_words_are_where_they_are_spoken(engine_name: EngineName) -> None:
    """The same recording one second later has its words one second later, to a tenth."""
    samples = items(speech.prompt("demo-congrats"))[0].samples[: 16_000 * 10]
    by = real(engine_name, "base")
    rows = by.encode([samples, np.concatenate([np.zeros(16_000, np.float32), samples])])
    early, late = by.decode(rows, [ENGLISH] * 2, Sampling(beam_size=1))
    first, second = by.align(rows, [ENGLISH] * 2, [early.phrases, late.phrases])
    a = [word for phrase in first for word in phrase]
    b = [word for phrase in second for word in phrase]
    assert [word.word for word in a[1:8]] == [word.word for word in b[1:8]]
    shifts = [after.start - before.start for before, after in zip(a[1:8], b[1:8], strict=True)]
    assert np.median(shifts) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("engine_name", [CTRANSLATE2, TORCH])
def test_a_prompt_changes_the_spelling(engine_name: EngineName) -> None:
    options = [Options(language="en"), Options(language="en", prompt="ASTERISK, PBX, SIP.")]
    samples = items(speech.prompt("demo-congrats"))[0].samples[: 16_000 * 7]
    asked = [Item(Window(0, 0.0, 7.0), samples, each) for each in options]
    plain, prompted = Pipeline(real(engine_name, "base")).run(asked)
    assert [segment.text for segment in plain.segments] != [segment.text for segment in prompted.segments]


@pytest.mark.parametrize("sound", ["silence", "hum", "noise"])
def test_what_is_no_speech_has_no_text(sound: str) -> None:
    time = np.arange(16_000 * 20) / 16_000
    wave = {
        "silence": np.zeros(len(time)),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * time),
        "noise": np.random.default_rng(3).normal(0, 0.05, len(time)),
    }[sound].astype(np.float32)
    found = [Item(window, samples) for window, samples in audio.windows([wave])]
    results = Pipeline(real(CTRANSLATE2, "tiny.en")).run(found)
    assert stitch(results, duration=20, model="", model_digest="", engine="").text == ""


@pytest.mark.parametrize(("by", "model"), [(CTRANSLATE2, "base"), (TORCH, "tiny.en")])
def test_tokens_come_with_their_own_log_probabilities(by: EngineName, model: str) -> None:
    clips = some("en", 3)
    plain = transcribed(real(by, model), clips)
    asked = transcribed(real(by, model), clips, Options(logprobs=True))
    for (clip, made), (_, without) in zip(asked, plain, strict=True):
        assert made.text == without.text
        tokens = [token for word in made.words for token in word.tokens]
        assert b"".join(bytes.fromhex(token.utf8) for token in tokens).decode().strip() == made.text
        assert all(token.logprob <= 0 for token in tokens)
        # There are no timestamps among these tokens, and there are in the decoder's mean: near, not equal.
        mean = sum(token.logprob for token in tokens) / len(tokens)
        assert mean == pytest.approx(made.segments[0].avg_logprob, abs=0.35), clip.name
        assert not any(word.tokens for word in without.words)
