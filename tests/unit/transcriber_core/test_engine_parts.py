"""The pure parts of the engine: features, tokens, alignment, the gate, the number of threads."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from assets import speech, weights
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.scripted import said
from whisper_transcriber.batching.gate import best, compression_ratio, passes, silent
from whisper_transcriber.engine.alignment import cheapest_path, timed_words
from whisper_transcriber.engine.features import log_mel
from whisper_transcriber.engine.port import Phrase, Prompt
from whisper_transcriber.engine.threads import processors
from whisper_transcriber.engine.tokens import FileAlphabet, Tokens

TIME = 50_364  # <|0.00|> of the multilingual tokenizer


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(FileAlphabet(weights.base() / "tokenizer.json"), multilingual=True)


def at(seconds: float) -> int:
    return TIME + round(seconds / 0.02)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.3, 4.0, 29.99, 30.0])
def test_features_are_those_of_zero_padded_audio(mels: int, seconds: float) -> None:
    samples = np.resize(samples_of(speech.prompt("demo-congrats").path), round(seconds * 16_000))
    padded = np.pad(samples, (0, 480_000 - len(samples)))
    expected = FeatureExtractor(feature_size=mels)(padded, padding=0)[:, :3000]
    assert log_mel(samples, mels).shape == (mels, 3000)
    assert np.abs(log_mel(samples, mels) - expected).max() < 2e-3


def test_a_window_past_thirty_seconds_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at most 30 s"):
        log_mel(np.zeros(480_001, np.float32), 80)


def test_phrases_are_cut_at_their_timestamps(tokens: Tokens) -> None:
    hello, bye = tokens.encode(" Hello."), tokens.encode(" Bye.")
    phrases, resume = tokens.phrases([at(0.5), *hello, at(2), at(2.5), *bye, at(4)], 10.0)
    assert [(p.start, p.end, p.text) for p in phrases] == [(0.5, 2.0, " Hello."), (2.5, 4.0, " Bye.")]
    assert resume is None


@pytest.mark.parametrize("open_text", ["", " And"])
def test_an_open_phrase_is_where_decoding_goes_on(tokens: Tokens, open_text: str) -> None:
    ids = [at(0), *tokens.encode(" Hello."), at(2), at(2), *tokens.encode(open_text)]
    phrases, resume = tokens.phrases(ids, 10.0)
    assert [p.text for p in phrases] == [" Hello."]
    assert resume == 2.0


def test_near_the_end_an_open_phrase_is_kept(tokens: Tokens) -> None:
    ids = [at(0), *tokens.encode(" Hello."), at(2), at(2), *tokens.encode(" And")]
    phrases, resume = tokens.phrases(ids, 2.5)
    assert [(p.start, p.end, p.text) for p in phrases] == [(0.0, 2.0, " Hello."), (2.0, 2.5, " And")]
    assert resume is None


@pytest.mark.parametrize("ids", [[], [TIME], [TIME, TIME + 50]])
def test_no_text_is_no_phrase(tokens: Tokens, ids: list[int]) -> None:
    assert tokens.phrases(ids, 10.0)[0] == ()


def test_text_without_timestamps_lasts_the_whole_window(tokens: Tokens) -> None:
    phrases, _ = tokens.phrases(tokens.encode(" Hello."), 7.0)
    assert [(p.start, p.end) for p in phrases] == [(0.0, 7.0)]


def test_what_was_heard_behind_the_audio_was_never_said(tokens: Tokens) -> None:
    ids = [at(0), *tokens.encode(" Hello."), at(2), at(8), *tokens.encode(" Bye."), at(9)]
    assert [p.text for p in tokens.phrases(ids, 5.0)[0]] == [" Hello."]


def test_a_prompt_names_language_and_task_and_keeps_its_last_words(tokens: Tokens) -> None:
    plain = tokens.prompt(Prompt("fr", "translate"))
    assert len(plain) == 3
    worded = tokens.prompt(Prompt("fr", "translate", "word " * 500 + "last"))
    assert worded[-3:] == plain
    assert len(worded) == 1 + 223 + 3
    assert tokens.text(worded[1:-3]).endswith(" last")


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        (' He said, "No - don\'t!" (loudly).', "en", [" He", " said,", ' "No', " - don't!\"", " (loudly)."]),
        (" Это Москва.", "ru", [" Это", " Москва."]),
        ("你好", "zh", ["你", "好"]),
    ],
)
def test_words_keep_their_punctuation(tokens: Tokens, text: str, language: str, words: list[str]) -> None:
    found = tokens.words(Phrase(0, 1, tuple(tokens.encode(text)), text), language)
    if language == "zh":
        assert "".join(word for word, _ in found) == text
    else:
        assert [word for word, _ in found] == words
    assert sum(count for _, count in found) == len(tokens.encode(text))


def test_words_get_the_frames_where_their_tokens_begin() -> None:
    path = [(0, 0), (0, 10), (1, 20), (1, 30), (2, 40), (3, 60)]
    words = timed_words([(" Good", 1), (" morning.", 2)], path, [0.9, 0.8, 0.6])
    assert [(word.word, word.start, word.end) for word in words] == [(" Good", 0.0, 0.4), (" morning.", 0.4, 1.2)]
    assert words[1].probability == pytest.approx(0.7)


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_the_cheapest_path_is_as_cheap_as_the_cheapest_of_all(height: int, width: int, seed: int) -> None:
    costs = np.random.default_rng(seed).normal(0, 1, (height, width))
    path = cheapest_path(costs)
    assert (path[0], path[-1]) == ((0, 0), (height - 1, width - 1))
    assert {type(index) for cell in path for index in cell} == {int}  # a numpy number would go on into the results
    assert {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(path)} <= {(1, 1), (1, 0), (0, 1)}

    @cache
    def least(row: int, column: int) -> float:
        if row < 0 or column < 0:
            return np.inf
        before = [least(row - 1, column - 1), least(row - 1, column), least(row, column - 1)]
        return float(costs[row, column]) + (0.0 if row == column == 0 else min(before))

    assert sum(costs[cell] for cell in path) == pytest.approx(least(height - 1, width - 1))


def test_the_gate() -> None:
    assert passes(said("A sentence like any other."))
    assert not passes(said("no no no no no " * 20))
    assert not passes(said("mumble", logprob=-1.2))
    assert silent(said("Thank you.", logprob=-1.2, no_speech=0.8))
    assert not silent(said("Thank you.", logprob=-0.5, no_speech=0.8))
    assert compression_ratio("") == 0.0
    loop, poor, poorer = said("na " * 99, logprob=-0.1), said("a", logprob=-1.5), said("b", logprob=-1.6)
    assert best([loop, poor, poorer]) is poor
    assert best([poor, said("c")]).text == "c"


@pytest.mark.parametrize(("limit", "at_most"), [("150000 100000", 2), ("1000 100000", 1), ("max 100000", 10_000)])
def test_processors_are_those_of_the_cgroup(limit: str, at_most: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert 1 <= processors(tmp_path) <= at_most
    assert processors(tmp_path / "none") >= 1


def test_tokens_are_spelt_in_bytes_that_make_up_their_text(tokens: Tokens) -> None:
    text = " Здравствуйте, naïve 日本語 👩‍🚀 \t done."
    phrase = Phrase(0.0, 1.0, (50364, *tokens.encode(text), 50414), text)
    spelt = tokens.spelt(phrase)
    assert b"".join(spelt).decode() == text
    assert len(spelt) == len(phrase.tokens) - 2
