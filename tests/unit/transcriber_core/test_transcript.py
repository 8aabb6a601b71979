"""Results of windows, kept and put together."""

from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.domain.transcript import Segment, Transcript, WindowResult, Word, main_language, stitch
from whisper_transcriber.domain.window import Window

seconds = st.floats(0, 100, allow_nan=False)


@st.composite
def results(draw: st.DrawFn, index: int = 0) -> WindowResult:
    segments = draw(
        st.lists(
            st.builds(
                Segment,
                start=seconds,
                end=seconds,
                text=st.text(max_size=5),
                tokens=st.lists(st.integers(0, 50_000), max_size=3).map(tuple),
                temperature=st.just(0.0),
                avg_logprob=st.floats(-2, 0),
                compression_ratio=st.floats(0, 3),
                no_speech_prob=st.floats(0, 1),
                words=st.lists(st.builds(Word, seconds, seconds, st.text(max_size=3), st.floats(0, 1)), max_size=3).map(
                    tuple
                ),
            ),
            max_size=4,
        ).map(tuple)
    )
    return WindowResult(Window(draw(st.integers(0, 5)), draw(seconds), draw(seconds)), "en", 0.9, segments)


def segment(text: str, start: float = 0.0, end: float = 1.0) -> Segment:
    return Segment(start, end, text, (), 0.0, -0.1, 1.0, 0.0)


def result(index: int, text: str, language: str = "en", length: float = 10.0) -> WindowResult:
    return WindowResult(
        Window(index, index * 10.0, index * 10.0 + length), language, 0.9, (segment(text, index * 10.0),)
    )


def stitched(*parts: WindowResult, language: str | None = None) -> Transcript:
    return stitch(parts, duration=100.0, model="base", model_digest="sha256:0", engine="none", language=language)


@given(results())
@settings(deadline=None)
def test_a_checkpoint_is_read_as_it_was_written(one: WindowResult) -> None:
    assert WindowResult.from_json(one.to_json()) == one


@given(st.lists(results(), max_size=5), st.floats(0, 100))
@settings(deadline=None)
def test_times_are_ordered_and_within_the_audio(parts: list[WindowResult], duration: float) -> None:
    transcript = stitch(parts, duration=duration, model="m", model_digest="d", engine="e")
    floor = 0.0
    for each in transcript.segments:
        assert floor <= each.start <= each.end <= duration
        assert all(0 <= word.start <= word.end <= duration for word in each.words)
        floor = each.start


def test_windows_are_put_in_order_and_a_repeated_one_counts_once() -> None:
    transcript = stitched(result(1, " two"), result(0, " one"), result(1, " two, again"))
    assert transcript.text == "one two"


def on(channel: int, index: int, start: float, text: str) -> WindowResult:
    return WindowResult(
        Window(index, start, start + 10, channel=channel), "en", 0.9, (segment(text, start, start + 1),)
    )


def test_channels_that_were_kept_apart_go_on_at_the_same_time() -> None:
    """What one says is no double of what the other says, and lends it none of its times."""
    transcript = stitched(on(0, 0, 0, " one"), on(0, 2, 20, " three"), on(1, 1, 5, " two"), on(1, 3, 12, " too"))
    assert [(each.channel, each.start, each.text) for each in transcript.segments] == [
        (0, 0, " one"),
        (1, 5, " two"),
        (1, 12, " too"),
        (0, 20, " three"),
    ]
    assert [len(turn) for turn in transcript.turns] == [1, 2, 1]


def test_a_checkpoint_without_channels_is_what_it_was_before_there_were_any() -> None:
    assert "channel" not in result(0, "a").to_json()
    one = on(1, 3, 12, " too")
    assert WindowResult.from_json(one.to_json()) == one


def test_silence_is_an_empty_text() -> None:
    transcript = stitched()
    assert transcript.text == ""
    assert transcript.language == "en"


def test_the_language_is_that_of_most_of_the_speech() -> None:
    parts = [result(0, "a", "en", 3.0), result(1, "b", "fr", 20.0), WindowResult(Window(2, 20, 50), "de", 1.0, ())]
    assert main_language(parts) == "fr"
    assert main_language([]) is None
    assert stitched(*parts).language == "fr"
    assert stitched(*parts, language="en").language == "en"
