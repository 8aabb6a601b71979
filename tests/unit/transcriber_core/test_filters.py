"""What nobody can have said is not text: two witnesses, the decoder and the voice detector."""

from dataclasses import replace

import pytest

from unit.transcriber_core.scripted import said
from whisper_transcriber.batching.filters import believed, heard_from
from whisper_transcriber.batching.gate import (
    MOST_REPETITIVE,
    best,
    compression_ratio,
    doubtful,
    left_out,
    loops,
    passes,
    silent,
)
from whisper_transcriber.domain.window import Heard, Stretch
from whisper_transcriber.engine.port import Decoded, Phrase

SURE = Heard((Stretch(0.5, 5.0),), 0.93)
FAINT = Heard((Stretch(0.3, 1.0),), 0.45)
SHORT = Heard((Stretch(0.3, 0.45),), 0.9)


def phrases(*parts: tuple[float, float, str], logprob: float = -0.3) -> Decoded:
    made = tuple(Phrase(start, end, (), f" {text}") for start, end, text in parts)
    return Decoded(made, "".join(phrase.text for phrase in made), logprob, 0.0, 0.0)


@pytest.mark.parametrize(
    ("heard", "no_speech", "logprob", "empty"),
    [
        (None, 0.7, -1.1, True),
        (None, 0.7, -0.9, False),
        (SURE, 0.7, -1.1, False),
        (SURE, 0.9, -1.1, True),
        (SURE, 0.9, -0.4, False),
        (FAINT, 0.5, -0.4, True),
        (FAINT, 0.1, -0.8, True),
        (FAINT, 0.1, -0.4, False),
        (SHORT, 0.5, -0.4, True),
        (SHORT, 0.1, -0.4, False),
    ],
)
def test_the_less_the_detector_heard_the_less_doubt_is_needed(
    heard: Heard | None, no_speech: float, logprob: float, empty: bool
) -> None:
    decoded = said("you", no_speech=no_speech, logprob=logprob)
    assert silent(decoded, heard) == empty
    assert (believed(decoded, heard).text == "") == empty


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("dies dies dies dies dies", True),
        ("suivi d'illies-dies-dies-dies-dies-dies", True),
        ("I am here. I am here. I am here. I am here, I am here!", True),
        ("no no no no", False),
        ("One two three four, one two three four, and one two three four.", False),
        ("我们我们我们我们我们", True),
        ("今日は天気がいいです", False),
        ("", False),
    ],
)
def test_a_loop_is_a_phrase_that_follows_itself_four_times(text: str, loop: bool) -> None:
    assert loops(text) == loop
    assert passes(said(text), SURE) != loop


def test_letters_of_two_bytes_are_no_loop() -> None:
    menu = " ".join(f"Нажмите {n}, чтобы прослушать сообщение номер {n}, или нажмите решётку." for n in ("1", "два"))
    menu += " Чтобы сохранить сообщение, нажмите три. Чтобы удалить сообщение, нажмите четыре."
    assert compression_ratio(menu) > MOST_REPETITIVE
    assert passes(said(menu))
    assert not passes(said("Нажмите решётку, чтобы прослушать. " * 4))


def test_more_than_can_be_said_in_the_time_is_tried_again_and_then_dropped() -> None:
    much = said("I do not know what to say about any of this at all", logprob=-0.2)
    little = said("Stop.", logprob=-0.4)
    brief = Heard((Stretch(0.0, 0.4),), 0.9)
    assert passes(much, SURE)
    assert not passes(much, brief)
    assert best([much, little], brief) is little
    assert believed(best([much, much], brief), brief).phrases == ()


def test_a_phrase_far_from_all_that_was_heard_is_dropped() -> None:
    heard = Heard((Stretch(0.0, 2.0), Stretch(6.0, 8.0)), 0.9)
    decoded = phrases((0.0, 2.2, "One."), (3.0, 5.0, "Thank you."), (5.4, 8.0, "Two."))
    kept = believed(decoded, heard)
    assert [phrase.text for phrase in kept.phrases] == [" One.", " Two."]
    assert kept.text == " One. Two."
    assert believed(decoded, None) is decoded


def test_equal_phrases_are_left_out_from_the_third_on_but_only_in_a_loop() -> None:
    often = phrases(*[(float(i), i + 1.0, "Hello?") for i in range(5)])
    assert len(believed(often, SURE).phrases) == 2
    thrice = phrases(*[(float(i), i + 1.0, "Hello?") for i in range(3)])
    assert believed(thrice, SURE) is thrice


def test_what_was_heard_is_counted_from_where_a_row_begins() -> None:
    heard = Heard((Stretch(10.0, 11.0), Stretch(12.0, 14.0)), 0.9)
    assert heard_from(heard, 11.5) == Heard((Stretch(0.5, 2.5),), 0.9)
    assert heard_from(heard, 13.0) == Heard((Stretch(0.0, 1.0),), 0.9)
    assert heard_from(heard, 13.0) != heard
    assert heard_from(None, 3.0) is None


TWICE = Heard((Stretch(0.5, 3.0), Stretch(3.8, 6.4)), 0.95)


@pytest.mark.parametrize(
    ("said_in", "at"),
    [
        ([(0.4, 6.5, "The conference will begin when the leader arrives.")], 3.4),
        ([(0.4, 6.5, "The conference will begin when the leader arrives. " * 2)], None),
        (
            [(0.4, 3.2, "Users will join the conference soon."), (3.2, 6.5, "Users will join the conference soon.")],
            None,
        ),
        ([(0.4, 6.5, "Dial 4242, then 1234, and 4242.")], None),  # which takes as long as it did
        ([(0.4, 6.5, "Thank you.")], None),  # nothing that was said twice
        ([(0.4, 6.5, "会议将在领导到达时开始请稍候。")], None),  # fewer letters say as much
        ([], None),
    ],
)
def test_few_words_for_the_speech_around_a_pause_tell_where_to_cut(
    said_in: list[tuple[float, float, str]], at: float | None
) -> None:
    assert left_out(phrases(*said_in), TWICE) == (None if at is None else pytest.approx(at))
    assert left_out(phrases(*said_in), None) is None


def test_without_a_pause_there_is_nowhere_to_cut_but_a_breath_will_do_where_most_is_missing() -> None:
    breath = Heard((Stretch(0.5, 3.4), Stretch(3.6, 6.4)), 0.95)
    assert left_out(phrases((0.4, 6.5, "The conference will begin when the leader arrives.")), breath) is None
    most = phrases((0.4, 6.5, "The conference will begin soon."))
    assert left_out(most, breath) == pytest.approx(3.5)
    assert left_out(most, Heard((Stretch(0.5, 6.4),), 0.95)) is None


def test_what_fails_from_a_short_input_is_in_doubt() -> None:
    loop = said("dies dies dies dies dies")
    assert doubtful(replace(loop, short=True), SURE)
    assert not doubtful(loop, SURE)
    assert not doubtful(replace(said("you", no_speech=0.9, logprob=-1.1), short=True), SURE)


def test_what_was_heard_between_two_times() -> None:
    assert heard_from(TWICE, 1.5, 5.0) == Heard((Stretch(0.0, 1.5), Stretch(3.8 - 1.5, 3.5)), 0.95)
