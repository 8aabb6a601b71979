"""What is told of a file while it is heard: always the beginning of what will have been said in it."""

from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.batching.language import settled, unsettled
from whisper_transcriber.domain.lasting import lasting
from whisper_transcriber.domain.transcript import Segment, WindowResult, stitch
from whisper_transcriber.domain.window import Window

_WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=4)


@st.composite
def files(draw: st.DrawFn) -> list[WindowResult]:
    """Windows in order; some share two seconds with the next one, and some are unsure of their language."""
    made, start, lapped = list[WindowResult](), 0.0, False
    for index in range(draw(st.integers(1, 6))):
        laps = draw(st.booleans())
        end, text = start + 10.0, "".join(f" {word}" for word in draw(_WORDS))
        segments = (Segment(start, end, text, (1,), 0.0, -0.1, 1.0, 0.0),) if text else ()
        sure, language = draw(st.sampled_from([0.3, 0.9])), draw(st.sampled_from(["en", "fr"]))
        made.append(WindowResult(Window(index, start, end, laps or lapped), language, sure, segments))
        start, lapped = end - 2.0 * laps, laps
    return made


def text(results: list[WindowResult]) -> str:
    return "".join(segment.text for result in results for segment in result.segments)


def whole(results: list[WindowResult]) -> str:
    made = stitch(results, duration=100.0, model="base", model_digest="sha256:1", engine="none")
    return "".join(segment.text for segment in made.segments)


@given(files(), st.data())
def test_what_is_told_is_never_taken_back(file: list[WindowResult], data: st.DataObject) -> None:
    unsure = unsettled(file)
    other = Segment(0.0, 1.0, " otherwise", (1,), 0.0, -0.1, 1.0, 0.0)
    final = [
        settled(each, WindowResult(each.window, "en", 1.0, (other,))) if each.window in unsure else each
        for each in file
    ]
    there = list[WindowResult]()
    told = ""
    for result in data.draw(st.permutations(file)):
        there.append(result)
        now = text(lasting(there))
        assert now.startswith(told)
        assert whole(final).startswith(now)
        told = now
    assert whole(final).startswith(text(lasting(there, whole=True)))


@given(files())
def test_a_part_that_is_sure_of_its_language_is_told_to_its_end(file: list[WindowResult]) -> None:
    sure = [WindowResult(each.window, "en", 0.9, each.segments) for each in file]
    assert text(lasting(sure, whole=True)) == whole(sure)
    assert len(lasting(sure, whole=True)) == len(sure)


def test_a_window_that_shares_nothing_is_told_at_once() -> None:
    first = WindowResult(Window(0, 0, 10), "en", 0.9, (Segment(0, 1, " Hello.", (), 0.0, -0.1, 1.0, 0.0),))
    assert lasting([first]) == [first]
    second = WindowResult(Window(1, 10, 20), "en", 0.9, ())
    assert lasting([second]) == []


def test_what_is_recorded_says_whether_windows_share_audio() -> None:
    for laps in (True, False):
        made = WindowResult(Window(0, 0, 10, laps), "en", 0.9, ())
        assert WindowResult.from_json(made.to_json()).window.laps is laps
        assert ("laps" in made.to_json()) is laps
