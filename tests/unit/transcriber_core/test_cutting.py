"""The pure cutter: no speech lost, none twice but beside a cut into speech, never more than 30 s, cuts in silence."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.domain.cutting import RULES, Cut, CutRules, Run, full_cut, spans
from whisper_transcriber.domain.window import FRAME, Frame, frames_in

RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 400), st.integers(0, 9)), max_size=30)
RULE = st.builds(
    CutRules,
    onset=st.floats(0, 1),
    lead=st.integers(0, 200),
    tail=st.integers(0, 200),
    gap=st.integers(1, 200),
)


def stream(runs: list[tuple[bool, int, int]]) -> list[Frame]:
    """Frames of alternating certainty; loudness varies within a run."""
    return [
        Frame(0.9 if speech else 0.0, (loud + index % 7) / 100)
        for speech, count, loud in runs
        for index in range(count)
    ]


def test_the_longest_window_is_just_under_thirty_seconds() -> None:
    assert RULES.longest * FRAME <= 30 * 16_000 < (RULES.longest + 1) * FRAME


@given(RUNS, st.just(RULES) | RULE)
@settings(deadline=None)
def test_spans_are_in_order_short_enough_and_overlap_only_where_speech_was_cut(
    runs: list[tuple[bool, int, int]], rules: CutRules
) -> None:
    frames = stream(runs)
    found = list(spans(frames, rules))
    for span in found:
        assert 0 <= span.start < span.end <= len(frames)
        assert span.end - span.start <= rules.longest
    for one, other in pairwise(found):
        assert one.start < other.start
        assert one.end < other.end
        shared = one.end - other.start
        assert shared <= 0 or (shared == 2 * rules.lap and one.laps and other.laps)


@given(RUNS, st.just(RULES) | RULE)
@settings(deadline=None)
def test_all_speech_but_clicks_is_in_a_span(runs: list[tuple[bool, int, int]], rules: CutRules) -> None:
    frames = stream(runs)
    covered = {index for span in spans(frames, rules) for index in range(span.start, span.end)}
    lost = [index for index, frame in enumerate(frames) if frame.speech >= rules.onset and index not in covered]
    # What is lost is less than a click's worth in any stretch as long as the shortest possible window.
    for index in lost:
        assert sum(1 for other in lost if index <= other < index + rules.gap) < 2 * rules.least_speech


@given(RUNS, st.just(RULES) | RULE)
@settings(deadline=None)
def test_a_span_says_where_in_it_speech_was_and_how_surely(runs: list[tuple[bool, int, int]], rules: CutRules) -> None:
    frames = stream(runs)
    for span in spans(frames, rules):
        speech = {index for run in span.speech for index in range(run.start, run.end)}
        assert speech == {index for index in range(span.start, span.end) if frames[index].speech >= RULES.onset}
        assert abs(span.certainty - (0.9 if speech else 0.0)) < 1e-6


@given(st.integers(0, 5000))
def test_silence_has_no_spans(count: int) -> None:
    assert list(spans([Frame(0.0, 0.0)] * count)) == []


def test_speech_keeps_its_padding_on_both_sides() -> None:
    quiet, loud = [Frame(0.0, 0.0)] * 200, [Frame(0.9, 0.1)] * 50
    (span,) = spans([*quiet, *loud, *quiet])
    assert (span.start, span.end) == (200 - RULES.lead, 250 + RULES.tail)
    assert span.speech == (Run(200, 250),)


def test_a_short_pause_stays_inside_and_a_long_one_is_left_out() -> None:
    loud = [Frame(0.9, 0.1)] * 50
    short, long = [Frame(0.0, 0.0)] * (RULES.gap - 1), [Frame(0.0, 0.0)] * (RULES.gap + 50)
    assert len(list(spans([*loud, *short, *loud]))) == 1
    assert len(list(spans([*loud, *long, *loud]))) == 2


def test_a_full_window_is_cut_in_the_later_of_two_good_pauses() -> None:
    speech = [True] * RULES.longest
    for start in (500, 800):
        speech[start : start + 15] = [False] * 15
    cut = full_cut(speech, [0.1] * RULES.longest)
    assert 800 <= cut.length <= cut.following <= 815
    assert not cut.in_speech


def test_a_full_window_is_cut_between_sentences_rather_than_in_one() -> None:
    speech = [True] * RULES.longest
    sentence, breath = range(400, 400 + frames_in(0.6)), range(800, 800 + frames_in(0.35))
    for frame in (*sentence, *breath):
        speech[frame] = False
    cut = full_cut(speech, [0.1] * RULES.longest)
    assert sentence.start <= cut.length <= cut.following <= sentence.stop


def test_speech_without_pauses_is_cut_where_it_is_quietest_and_both_windows_go_on_beyond_it() -> None:
    energy = [0.1] * RULES.longest
    energy[700:704] = [0.01] * 4
    cut = full_cut([True] * RULES.longest, energy)
    middle = (cut.length + cut.following) // 2
    assert 700 <= middle <= 704
    assert cut == Cut(middle + RULES.lap, middle - RULES.lap, True)


def test_the_lap_never_makes_a_window_too_long() -> None:
    energy = [0.1] * RULES.longest
    energy[-4:] = [0.0] * 4  # quietest at the very end
    cut = full_cut([True] * RULES.longest, energy)
    assert cut.length <= RULES.longest


def test_frames_in_counts_whole_frames() -> None:
    assert frames_in(0.032) == 1
    assert frames_in(0.031) == 0
