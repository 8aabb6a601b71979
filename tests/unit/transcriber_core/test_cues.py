"""Cues: limits that always hold, and cuts where a reader would make them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.domain.transcript import Segment, Transcript, Word
from whisper_transcriber.render.captions import captions
from whisper_transcriber.render.cues import LINE, LONGEST, Cue, cues

_TEXTS = st.text("abcdefghijäß.,;!?'\"-", min_size=1, max_size=20)
_WIDE = st.text("日本語。、的は。ア,A1 ", min_size=1, max_size=120)
_TIMES = st.floats(0, 30, allow_nan=False)


def segment(text: str, start: float, end: float, words: tuple[Word, ...] = ()) -> Segment:
    return Segment(start, end, text, (), 0.0, -0.2, 1.3, 0.01, words)


def spoken(text: str, start: float = 0.0, pace: float = 0.3) -> Segment:
    """A segment whose words take `pace` seconds each, without pauses."""
    texts = text.split()
    words = tuple(Word(start + i * pace, start + (i + 1) * pace, f" {each}", 0.9) for i, each in enumerate(texts))
    return segment(f" {text}", start, start + len(texts) * pace, words)


def said(made: list[Cue]) -> str:
    return " ".join(line for cue in made for line in cue.lines)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Segments with words at any times, even senseless ones, or without word times."""
    texts = draw(st.lists(_TEXTS, min_size=1, max_size=40))
    start, length = draw(_TIMES), draw(_TIMES)
    words: tuple[Word, ...] = ()
    if draw(st.booleans()):
        times = [sorted((draw(_TIMES) + start, draw(_TIMES) + start)) for _ in texts]
        words = tuple(Word(begin, end, f" {text}", 0.5) for (begin, end), text in zip(times, texts, strict=True))
    return segment(" " + " ".join(texts), start, start + length, words)


@given(segments())
def test_no_word_is_lost_and_every_limit_holds(given_: Segment) -> None:
    made = cues(given_, "en")
    assert said(made) == " ".join(given_.text.split())
    for cue in made:
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= LINE for line in cue.lines)
        assert given_.start <= cue.start <= cue.end <= given_.end
        assert cue.end - cue.start <= LONGEST + 1e-6
    for before, after in pairwise(made):
        assert before.end <= after.start + 1e-9


@given(st.lists(st.tuples(_TEXTS, st.floats(0.01, 2)), min_size=2, max_size=40), st.booleans())
def test_no_word_stands_alone(timed: list[tuple[str, float]], words: bool) -> None:
    now, spoken = 0.0, []
    for text, seconds in timed:
        spoken.append(Word(now, now + seconds, f" {text}", 0.5))
        now += seconds
    whole = " ".join(text for text, _ in timed)
    made = cues(segment(whole, 0, now if words else 0.1 * len(timed), tuple(spoken) if words else ()), "en")
    assert all(len(" ".join(cue.lines).split()) > 1 for cue in made), made


@given(st.lists(segments(), max_size=4))
def test_captions_never_overlap_and_each_can_be_seen(given_: list[Segment]) -> None:
    made = captions(Transcript("transcribe", "en", 60.0, tuple(given_), "base", "sha256:1", "ctranslate2"))
    assert all(each.start < each.end for each in made)
    assert all(before.end <= after.start for before, after in pairwise(made))


@given(_WIDE, _TIMES)
def test_scripts_without_spaces_are_broken_anywhere_but_before_a_mark(text: str, length: float) -> None:
    made = cues(segment(text, 0, length), "ja")
    assert "".join("".join(line for cue in made for line in cue.lines).split()) == "".join(text.split())
    for cue in made:
        for line in cue.lines:
            assert sum(1 if each.isascii() else 2 for each in line) <= LINE
    for before, after in pairwise(line for cue in made for line in cue.lines):
        if not before.endswith(tuple("。、,")) and after[0] in "。、":
            assert f"{before} {after}" in " ".join(text.split()) or sum(map(len, (before, after))) > LINE / 2


def test_a_long_word_is_broken_only_because_it_must_be() -> None:
    made = cues(segment("x" * 100, 0, 5), "en")
    assert "".join(line for cue in made for line in cue.lines) == "x" * 100


def test_one_word_is_a_whole_segments_cue_and_does_not_stay_for_ever() -> None:
    assert cues(segment(" received.", 1, 21), "en") == [Cue(1, 8, ("received.",))]


def test_silence_has_no_cues() -> None:
    assert cues(segment("  ", 0, 1), "en") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "The number you have dialed is not in service at this time. "
            "Please check the number that you have dialed and try again now.",
            [
                ("The number you have dialed is not", "in service at this time."),
                ("Please check the number", "that you have dialed and try again now."),
            ],
            id="at the end of a sentence",
        ),
        pytest.param(
            "When you have finished recording your new greeting, hang up the telephone or press the pound key quickly",
            [
                ("When you have finished recording", "your new greeting,"),
                ("hang up the telephone", "or press the pound key quickly"),
            ],
            id="at a comma",
        ),
        pytest.param(
            "Your message will be delivered with the very highest priority we have and every reply shall be received",
            [
                ("Your message will be delivered", "with the very highest priority we have"),
                ("and every reply shall be received",),
            ],
            id="before a conjunction, and no lonely word at the end",
        ),
        pytest.param(
            "Yesterday at seven thirty Dr. Smith gave his nearly four hundred students homework, "
            "then Mrs. Jones took it away",
            [
                ("Yesterday at seven thirty Dr. Smith gave", "his nearly four hundred students homework,"),
                ("then Mrs. Jones took it away",),
            ],
            id="never after an abbreviation",
        ),
    ],
)
def test_cuts_go_where_a_reader_pauses(text: str, expected: list[tuple[str, ...]]) -> None:
    assert [cue.lines for cue in cues(spoken(text), "en")] == expected


def test_a_pause_is_a_place_to_cut() -> None:
    text = "Please enter your four digit code carefully now the system looks your mailbox up for you quickly"
    words = list(spoken(text).words)
    later = [Word(word.start + 1, word.end + 1, word.word, 0.9) for word in words[8:]]
    made = cues(segment(text, 0, later[-1].end, (*words[:8], *later)), "en")
    assert [cue.lines[0].split()[0] for cue in made] == ["Please", "the"]
    assert made[0].end <= made[1].start - 1


def test_without_word_times_the_time_is_shared_by_characters() -> None:
    made = cues(segment(" aaa bbb. " * 20, 0, 20), "en")
    assert made[0].start == 0
    assert made[-1].end == pytest.approx(20)
    whole = len(" ".join(("aaa bbb. " * 20).split()))
    for cue in made:
        assert cue.end - cue.start == pytest.approx(len(" ".join(cue.lines)) * 20 / whole)
