"""The pure cutter: no speech lost, no overlap, never more than 30 s, and cuts in silence where there is one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.domain.window import FRAME, RULES, Frame, Span, frames_in, full_cut, spans

RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 400), st.integers(0, 9)), max_size=30)


def stream(runs: list[tuple[bool, int, int]]) -> list[Frame]:
    """Frames of alternating certainty; loudness varies within a run."""
    return [
        Frame(0.9 if speech else 0.0, (loud + index % 7) / 100)
        for speech, count, loud in runs
        for index in range(count)
    ]


def test_the_longest_window_is_just_under_thirty_seconds() -> None:
    assert RULES.longest * FRAME <= 30 * 16_000 < (RULES.longest + 1) * FRAME


@given(RUNS)
@settings(deadline=None)
def test_spans_are_in_order_short_enough_and_never_overlap(runs: list[tuple[bool, int, int]]) -> None:
    frames = stream(runs)
    end = 0
    for span in spans(frames):
        assert end <= span.start < span.end <= len(frames)
        assert span.end - span.start <= RULES.longest
        end = span.end


@given(RUNS)
@settings(deadline=None)
def test_all_speech_but_clicks_is_in_a_span(runs: list[tuple[bool, int, int]]) -> None:
    frames = stream(runs)
    covered = {index for span in spans(frames) for index in range(span.start, span.end)}
    lost = [index for index, frame in enumerate(frames) if frame.speech >= RULES.onset and index not in covered]
    # What is lost is less than a click's worth in any stretch as long as the shortest possible window.
    for index in lost:
        assert sum(1 for other in lost if index <= other < index + RULES.gap) < 2 * RULES.least_speech


@given(st.integers(0, 5000))
def test_silence_has_no_spans(count: int) -> None:
    assert list(spans([Frame(0.0, 0.0)] * count)) == []


def test_speech_keeps_its_padding_on_both_sides() -> None:
    quiet, loud = [Frame(0.0, 0.0)] * 200, [Frame(0.9, 0.1)] * 50
    assert list(spans([*quiet, *loud, *quiet])) == [Span(200 - RULES.pad, 250 + RULES.pad)]


def test_a_short_pause_stays_inside_and_a_long_one_is_left_out() -> None:
    loud = [Frame(0.9, 0.1)] * 50
    short, long = [Frame(0.0, 0.0)] * (RULES.gap - 1), [Frame(0.0, 0.0)] * (RULES.gap + 50)
    assert len(list(spans([*loud, *short, *loud]))) == 1
    assert len(list(spans([*loud, *long, *loud]))) == 2


def test_a_full_window_is_cut_in_the_later_of_two_good_pauses() -> None:
    speech = [True] * RULES.longest
    for start in (500, 800):
        speech[start : start + 15] = [False] * 15
    length, following = full_cut(speech, [0.1] * RULES.longest)
    assert 800 <= length <= following <= 815


def test_speech_without_pauses_is_cut_where_it_is_quietest() -> None:
    energy = [0.1] * RULES.longest
    energy[700:704] = [0.01] * 4
    length, following = full_cut([True] * RULES.longest, energy)
    assert length == following
    assert 700 <= length <= 704


def test_frames_in_counts_whole_frames() -> None:
    assert frames_in(0.032) == 1
    assert frames_in(0.031) == 0
