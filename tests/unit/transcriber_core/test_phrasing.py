"""Words in time become phrases: sentences, or what was said between two pauses."""

from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.batching.phrasing import PAUSE, ends_sentence, phrases
from whisper_transcriber.engine.port import Timed


def words(*texts: str, pause_before: int | None = None) -> list[Timed]:
    """Words of half a second each, one after another, with a long pause before one of them."""
    shift = [PAUSE if pause_before is not None and index >= pause_before else 0.0 for index in range(len(texts))]
    return [Timed(text, i / 2 + shift[i], (i + 1) / 2 + shift[i], 0.9, 1) for i, text in enumerate(texts)]


def texts(of: list[Timed]) -> list[str]:
    return [phrase.text for phrase, _ in phrases(of, range(len(of)))]


def test_a_phrase_ends_with_its_sentence() -> None:
    assert texts(words(" Who", " is", " it?", " It", " is", ' me."', " Oh")) == [" Who is it?", ' It is me."', " Oh"]


def test_a_phrase_ends_at_a_pause_whatever_the_punctuation() -> None:
    assert texts(words(" one", " two", " three", pause_before=2)) == [" one two", " three"]
    assert texts(words(" one", " two", " three")) == [" one two three"]


def test_marks_that_end_sentences() -> None:
    assert all(map(ends_sentence, (" home.", ' home."', " (really?)", "好。", " जाओ।", " well…")))
    assert not any(map(ends_sentence, (" home", " 3.5", " home,", " -", "", '"')))


@given(st.lists(st.tuples(st.sampled_from([" a", " b.", " c?", "d"]), st.integers(1, 3), st.floats(0, 2)), max_size=30))
def test_every_word_and_token_is_in_one_phrase_in_order(made: list[tuple[str, int, float]]) -> None:
    at, own = 0.0, []
    for text, tokens, pause in made:
        own.append(Timed(text, at + pause, at + pause + 0.3, 0.5, tokens))
        at = own[-1].end
    total = sum(word.tokens for word in own)
    found = list(phrases(own, range(total)))
    assert [word for _, some in found for word in some] == own
    assert [token for phrase, _ in found for token in phrase.tokens] == list(range(total))
    assert all(phrase.start == some[0].start and phrase.end == some[-1].end for phrase, some in found)
