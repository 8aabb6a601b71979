"""The contract of every engine: the scripted one of the unit tests, and the real ones with real weights."""

from itertools import islice

import numpy as np
import pytest

from assets import speech
from contract.engine.engines import CTRANSLATE2, ENGLISH, REAL, TORCH, items, noisy, real, some
from unit.transcriber_core.scripted import ScriptedEngine
from whisper_transcriber.domain.model import EngineName
from whisper_transcriber.engine.port import Decoded, Engine, Prompt, Sampling


@pytest.fixture(params=["scripted", *REAL], ids=lambda param: param if isinstance(param, str) else "-".join(param))
def each(request: pytest.FixtureRequest) -> Engine:
    return ScriptedEngine() if request.param == "scripted" else real(*request.param)


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


@pytest.mark.parametrize("by", [CTRANSLATE2, TORCH])
def test_no_run_comes_twice_where_it_may_not(by: EngineName) -> None:
    model = real(by, "tiny.en")
    free = Sampling(beam_size=2)
    loops = next(samples for samples in noisy() if _twice(model.decode(model.encode([samples]), [ENGLISH], free)[0]))
    rows = model.encode([loops, *islice(noisy(), 2)])
    held = model.decode(rows, [ENGLISH] * 3, Sampling(beam_size=2, no_repeat=3))
    alone = [model.decode([row], [ENGLISH], Sampling(beam_size=2, no_repeat=3))[0] for row in rows]
    assert [decoded.text for decoded in held] == [decoded.text for decoded in alone]
    assert [_twice(decoded) for decoded in held] == [False] * 3


def _twice(decoded: Decoded) -> bool:
    tokens = [token for phrase in decoded.phrases for token in phrase.tokens]
    runs = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return len(set(runs)) < len(runs)


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
