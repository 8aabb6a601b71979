"""The contract of every engine: the scripted one of the unit tests, and the real ones with real weights on speech.

openai-whisper runs in a Python of its own (torch_engine). Both real engines have the same files, so the same digests.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from assets import speech, weights
from assets.speech import Clip
from contract.engine.torch_engine import TorchEngine, write_checkpoint
from unit.transcriber_core.scripted import ScriptedEngine
from unit.transcriber_core.wording import error_rate
from whisper_transcriber import audio, engine
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.model import EngineName, ModelFiles, ModelSpec, ModelUnavailable, Source
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Transcript, WindowResult, stitch
from whisper_transcriber.engine.port import Engine, Phrase, Prompt, Sampling
from whisper_transcriber.models import resolve

ENGLISH = Prompt("en")
DIGESTS = {"base": weights.BASE.model_sha256, "tiny.en": weights.TINY_EN.model_sha256}


CTRANSLATE2: Final = "ctranslate2"
TORCH: Final = "openai-whisper"
REAL = [(CTRANSLATE2, "tiny.en"), (CTRANSLATE2, "base"), (TORCH, "tiny.en"), (TORCH, "base")]


@cache
def real(by: EngineName, name: str) -> Engine:
    folder = {"base": weights.base, "tiny.en": weights.tiny_en}[name]()
    spec = ModelSpec(name=name, source=Source(path=str(folder)), digest=f"sha256:{DIGESTS[name]}", engine=by)
    files = resolve(spec, Path("/models"), Path("/nonexistent"))
    return TorchEngine(files, spec, 2) if by == TORCH else engine.load(files, spec, 2)


@pytest.fixture(params=["scripted", *REAL], ids=lambda param: param if isinstance(param, str) else "-".join(param))
def each(request: pytest.FixtureRequest) -> Engine:
    return ScriptedEngine() if request.param == "scripted" else real(*request.param)


def items(clip: Clip, options: Options | None = None) -> list[Item]:
    return [Item(window, samples, options or Options()) for window, samples in audio.windows(audio.decode(clip.path))]


def transcript(clip: Clip, results: list[WindowResult], by: Engine) -> Transcript:
    return stitch(results, duration=clip.seconds, model=by.model, model_digest=by.digest, engine=by.name)


def transcribed(by: Engine, clips: list[Clip], options: Options | None = None) -> Iterator[tuple[Clip, Transcript]]:
    """All windows of all clips through one pipeline call, as a worker batches them."""
    pipeline = Pipeline(by)
    owned = [(clip, item) for clip in clips for item in items(clip, options)]
    results = pipeline.run([item for _, item in owned])
    for clip in clips:
        own = [result for (owner, _), result in zip(owned, results, strict=True) if owner is clip]
        yield clip, transcript(clip, own, by)


def some(language: str, count: int) -> list[Clip]:
    """Sentences spread over all that there are."""
    clips = [clip for clip in speech.sentences(language) if clip.seconds < 12]
    return clips[:: max(1, len(clips) // count)][:count]


@cache
def english(by: EngineName, model: str) -> list[tuple[Clip, Transcript]]:
    """What an engine makes of 24 sentences; of every other one on torch, which takes several times as long."""
    return list(transcribed(real(by, model), some("en", 24)[:: 2 if by == TORCH else 1]))


# What holds for every engine.


def test_a_row_for_each_window_and_an_answer_for_each_row(each: Engine) -> None:
    batch = [np.full(16_000, 0.001, np.float32), np.full(48_000, 0.001, np.float32)]
    rows = each.encode(batch)
    assert [row.seconds for row in rows] == [1.0, 3.0]
    assert len(each.detect(rows)) == 2
    assert len(each.decode(rows, [ENGLISH, ENGLISH], Sampling(beam_size=1))) == 2


def test_nothing_in_nothing_out(each: Engine) -> None:
    assert each.encode([]) == []
    assert each.detect([]) == []
    assert each.decode([], [], Sampling()) == []
    assert each.align([], [], []) == []


def test_rows_of_different_batches_can_be_mixed_and_reordered(each: Engine) -> None:
    clips = [items(clip)[0].samples for clip in some("en", 3)]
    together = each.encode(clips)
    apart = [each.encode([samples])[0] for samples in clips]
    mixed = [apart[2], together[0], apart[1]]
    sampling = Sampling(beam_size=1)
    texts = [decoded.text for decoded in each.decode(mixed, [ENGLISH] * 3, sampling)]
    alone = [each.decode([row], [ENGLISH], sampling)[0].text for row in together]
    assert texts == [alone[2], alone[0], alone[1]]


def test_beams_of_rows_together_are_those_of_each_alone(each: Engine) -> None:
    rows = each.encode([items(clip)[0].samples for clip in some("en", 2)])
    together = each.decode(rows, [ENGLISH] * 2, Sampling(beam_size=2))
    alone = [each.decode([row], [ENGLISH], Sampling(beam_size=2))[0] for row in rows]
    assert [decoded.text for decoded in together] == [decoded.text for decoded in alone]
    assert [decoded.avg_logprob for decoded in together] == pytest.approx([d.avg_logprob for d in alone], abs=1e-3)


def test_samples_are_drawn_for_each_row(each: Engine) -> None:
    rows = each.encode([items(clip)[0].samples[:48_000] for clip in some("en", 2)])
    drawn = each.decode(rows, [ENGLISH] * 2, Sampling(temperature=0.4, best_of=2))
    assert [decoded.temperature for decoded in drawn] == [0.4, 0.4]
    assert all(decoded.text.strip() for decoded in drawn)


def test_equal_keys_for_what_may_share_a_call(each: Engine) -> None:
    assert each.decode_key(ENGLISH) == each.decode_key(Prompt("en"))
    assert each.decode_key(ENGLISH) != each.decode_key(Prompt("en", text="Kubernetes"))
    assert each.align_key(ENGLISH) == each.align_key(Prompt("en", text="Kubernetes"))


def test_phrases_and_words_are_in_order_and_within_the_window(each: Engine) -> None:
    (row,) = each.encode([items(speech.prompt("demo-congrats"))[0].samples])
    (decoded,) = each.decode([row], [ENGLISH], Sampling(beam_size=1))
    (words,) = each.align([row], [ENGLISH], [decoded.phrases])
    assert len(words) == len(decoded.phrases) > 0
    floor = 0.0
    for phrase, own in zip(decoded.phrases, words, strict=True):
        assert 0 <= phrase.start <= phrase.end <= row.seconds
        assert "".join(word.word for word in own) == phrase.text
        for word in own:
            assert floor <= word.start <= word.end <= row.seconds + 0.02
            floor = word.start


def test_an_english_model_detects_english_and_a_multilingual_one_the_language(each: Engine) -> None:
    rows = each.encode([items(clip)[0].samples for clip in (some("fr", 1) + some("en", 1))])
    languages = [language.code for language in each.detect(rows)]
    assert languages == (["fr", "en"] if each.model == "base" else ["en", "en"])


# What real weights make of real speech.


@pytest.mark.parametrize(("by", "model"), REAL)
def test_english_prompts_are_understood(by: EngineName, model: str) -> None:
    digest, done = f"sha256:{DIGESTS[model]}", english(by, model)
    assert {made.language for _, made in done} == {"en"}
    assert {(made.model, made.model_digest, made.engine) for _, made in done} == {(model, digest, by)}
    assert error_rate([(clip.text, made.text) for clip, made in done]) <= 0.08


@pytest.mark.parametrize("model", ["tiny.en", "base"])
def test_both_engines_hear_the_same(model: str) -> None:
    torch, other = ({clip: made.text for clip, made in english(by, model)} for by in (TORCH, CTRANSLATE2))
    rates = [error_rate([(clip.text, texts[clip]) for clip in torch]) for texts in (torch, other)]
    assert rates[0] <= rates[1] + 0.02
    assert error_rate([(other[clip], torch[clip]) for clip in torch]) <= 0.05


@pytest.mark.parametrize("language", ["es", "fr", "it", "ru"])
@pytest.mark.parametrize(("by", "clips"), [(CTRANSLATE2, 4), (TORCH, 2)])
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
    together = Pipeline(by).run(wanted)
    alone = [Pipeline(by).run([item])[0] for item in wanted]
    assert [result.segments for result in together] == [result.segments for result in alone]
    assert [result.language for result in together] == ["fr", "fr", "en", "en"]
    text = ["".join(segment.text for segment in result.segments) for result in together]
    assert text[0] != text[1]
    assert [bool(result.segments[0].words) for result in together] == [False, False, False, True]


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
    clip = speech.prompt("demo-congrats")
    ((_, plain),) = transcribed(real(engine_name, "base"), [clip], Options(language="en"))
    ((_, prompted),) = transcribed(
        real(engine_name, "base"), [clip], Options(language="en", prompt="ASTERISK, PBX, SIP.")
    )
    assert plain.text != prompted.text


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
