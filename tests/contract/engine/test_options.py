"""Each option changes what comes out, with real weights on real speech: none is accepted and ignored."""

from functools import cache

import numpy as np
import pytest

from assets import speech
from contract.engine.recordings import real, transcribed
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.scripted import ScriptedEngine
from unit.transcriber_core.wording import normalised
from whisper_transcriber import audio
from whisper_transcriber.batching import Pipeline
from whisper_transcriber.domain.cutting import rules_for
from whisper_transcriber.domain.options import Options, UnsupportedOption, Vad
from whisper_transcriber.domain.transcript import Transcript
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Engine


@cache
def heard(name: str, options: Options = Options(), language: str = "en") -> Transcript:  # noqa: B008 a frozen value
    (made,) = transcribed(real("base"), [samples_of(speech.prompt(name, language).path)], options)
    return made


ENGLISH = Options(language="en")


def test_the_language_that_is_asked_for_is_the_one_of_the_text() -> None:
    assert heard("agent-newlocation", language="es").language == "es"
    french = heard("agent-newlocation", Options(language="fr"), "es")
    assert french.text != heard("agent-newlocation", language="es").text


def test_detection_chooses_among_the_languages_that_come_into_question() -> None:
    assert heard("agent-incorrect", language="it").language == "it"
    assert heard("agent-incorrect", Options(languages=("en", "es")), "it").language in ("en", "es")
    assert (
        heard("agent-incorrect", Options(languages=("ru", "it")), "it").text
        == heard("agent-incorrect", language="it").text
    )


@pytest.mark.parametrize("by", [ScriptedEngine(), "tiny.en", "base"], ids=["scripted", "tiny.en", "base"])
def test_every_engine_detects_among_the_languages_that_come_into_question(by: ScriptedEngine | str) -> None:
    engine: Engine = real(by) if isinstance(by, str) else by
    clips = [speech.prompt("agent-alreadyon", language) for language in ("fr", "ru")]
    languages = engine.detect(engine.encode([samples_of(clip.path) for clip in clips]), ("en", "ru"))
    assert languages[1].code == ("ru" if by == "base" else "en")
    assert {language.code for language in languages} <= {"en", "ru"}
    assert all(0.5 <= language.probability <= 1.0 for language in languages)


def test_a_translation_is_english() -> None:
    french = heard("agent-alreadyon", language="fr")
    english = heard("agent-alreadyon", Options(task="translate"), "fr")
    assert french.language == english.language == "fr"
    assert {"this", "agent", "is", "number"} <= set(normalised(english.text))
    assert not {"is", "this"} & set(normalised(french.text))


def test_a_prompt_sets_the_spelling_of_a_name() -> None:
    assert "Comedian Mail" in heard("vm-newuser", ENGLISH).text
    assert "COMEDIANMAIL" in heard("vm-newuser", Options(language="en", prompt="Welcome to COMEDIANMAIL.")).text


def test_a_hotword_is_heard_where_something_else_was() -> None:
    assert "KomedianMail" in heard("vm-newuser", Options(language="en", hotwords=("KomedianMail",))).text


def test_hotwords_count_beside_a_prompt_that_is_longer_than_the_model_looks_back() -> None:
    long = Options(language="en", prompt="This call is recorded. " * 60, hotwords=("KomedianMail",))
    assert "KomedianMail" in heard("vm-newuser", long).text


def test_a_temperature_is_used_as_it_is() -> None:
    hot = heard("demo-moreinfo", Options(language="en", temperature=1.0))
    assert {segment.temperature for segment in hot.segments} == {1.0}
    assert hot.text != heard("demo-moreinfo", ENGLISH).text


def test_words_have_times_only_where_they_were_asked_for() -> None:
    assert heard("vm-newuser", ENGLISH).words == ()
    worded = heard("vm-newuser", Options(language="en", word_timestamps=True))
    assert "".join(word.word for word in worded.words).strip() == worded.text


def cut(vad: Vad) -> list[Window]:
    """Two prompts with a second and a half between them, and one at the end that is hardly there."""
    parts = [samples_of(speech.prompt(name).path) for name in ("vm-goodbye", "auth-thankyou")]
    pause = np.zeros(24_000, np.float32)
    recording = np.concatenate([pause, parts[0], pause, parts[1], pause])
    return [window for window, _ in audio.windows([recording], rules=rules_for(vad))]


def test_each_setting_of_the_voice_detector_changes_the_windows() -> None:
    (usual,) = cut(Vad())
    assert len(cut(Vad(silence_duration_ms=500))) == 2
    (more,) = cut(Vad(prefix_padding_ms=1000))
    assert usual.start - more.start == pytest.approx(0.6, abs=0.04)
    (later,) = cut(Vad(threshold=0.95))
    assert usual.start < later.start
    assert later.end < usual.end
    assert cut(Vad(threshold=1.0)) == []


@pytest.mark.parametrize("language", ["yue", "klingon"])
def test_a_language_that_the_model_does_not_know_is_refused(language: str) -> None:
    with pytest.raises(UnsupportedOption, match="language"):
        heard("vm-goodbye", Options(language=language))
    with pytest.raises(UnsupportedOption, match="language"):
        heard("vm-goodbye", Options(languages=(language, language)))


def test_an_english_model_refuses_other_languages() -> None:
    pipeline = Pipeline(real("tiny.en"))
    assert pipeline.check(Options(languages=("en", "fr"))).languages == ("en", "fr")
    with pytest.raises(UnsupportedOption, match="only English"):
        pipeline.check(Options(languages=("de", "fr")))
