"""Which lines of Asterisk's prompt lists are speech, and with which words."""

import pytest

from assets.prompts import parse


def test_a_line_is_a_name_and_its_words() -> None:
    text = "; Core Sounds\n\nauth-thankyou: Thank you.\nbasic: Press one: now.\ndigits/3: three\n"
    assert parse(text) == {"auth-thankyou": "Thank you.", "basic": "Press one: now.", "digits/3": "three"}


@pytest.mark.parametrize(
    "line",
    [
        "; Core Asterisk Sounds in English",
        "\ufeff; a comment behind a byte order mark: with a colon",
        "",
        "no colon here",
        "empty:",
        "ascending-2tone: [ascending tones]",
        "beeperr: (ahooga)",
        "confbridge-join: <beep ascending>",
        "beep: un suono beep",
        "silence/3: (3 seconds of silence)",
        "letters/space: [ ]",
        "at-tone-time-exactly: il tempo sar? esattamente..",
        "broken: le num\ufffdro",
    ],
)
def test_what_is_not_speech_or_has_lost_letters_is_left_out(line: str) -> None:
    assert parse(line) == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vm-intro: Leave your message. (simple tone sound plays)", "Leave your message."),
        ("letters/at: at [@]", "at"),
        ("confbridge-leave-out: ...to leave the conference.", "to leave the conference."),
        ("who: Qui est-ce? Parlez.", "Qui est-ce? Parlez."),
        ("agent:  Two  blanks.  Here.", "Two blanks. Here."),
    ],
)
def test_remarks_and_dots_are_taken_off(line: str, words: str) -> None:
    assert list(parse(line).values()) == [words]
