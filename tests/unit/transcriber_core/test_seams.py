"""What two windows share is in the transcript once: no word lost, none doubled, times in order and within the audio."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.domain.transcript import Segment, Transcript, WindowResult, Word, stitch
from whisper_transcriber.domain.window import Window

LAP = 1.6  # s that two windows share
JITTER = 0.05  # s by which a window's times are off


@dataclass(frozen=True)
class Speech:
    """Words without a pause between them, and where windows of them are cut."""

    words: tuple[Word, ...]
    windows: tuple[Window, ...]

    @property
    def duration(self) -> float:
        return self.words[-1].end


@st.composite
def speeches(draw: st.DrawFn, vocabulary: tuple[str, ...] | None) -> Speech:
    """Words of a vocabulary, or no two the same; cut every 4 to 8 s."""
    count = draw(st.integers(10, 80))
    words: list[Word] = []
    at = 0.0
    for index in range(count):
        text = draw(st.sampled_from(vocabulary)) if vocabulary else f"w{index}"
        end = at + draw(st.floats(0.25, 0.6))
        words.append(Word(at, end, f" {text}", 0.9))
        at = end
    windows: list[Window] = []
    start = 0.0
    while True:
        end = start + draw(st.floats(4.0, 8.0))
        if end >= at - LAP:
            break
        windows.append(Window(len(windows), start, end))
        start = end - LAP
    return Speech(tuple(words), (*windows, Window(len(windows), start, at)))


def heard(speech: Speech, window: Window, draw: st.DataObject, *, timed: bool) -> WindowResult:
    """What a window makes of the speech: whole words as they are, cut ones garbled or not at all, times a bit off."""
    words = []
    for word in speech.words:
        off = draw.draw(st.floats(-JITTER, JITTER)) if timed else 0.0
        if window.start <= word.start and word.end <= window.end:
            words.append(replace(word, start=word.start + off, end=word.end + off))
        elif word.start < window.end and window.start < word.end and draw.draw(st.booleans()):
            start, end = max(word.start, window.start), min(word.end, window.end)
            words.append(Word(start, end, f" cut{window.index}", 0.3))
    size = draw.draw(st.integers(1, 8))
    segments = [_segment(words[at : at + size], timed) for at in range(0, len(words), size)]
    return WindowResult(window, "en", 0.9, tuple(segments))


def _segment(words: list[Word], timed: bool) -> Segment:
    text = "".join(word.word for word in words)
    start, end = words[0].start, words[-1].end
    return Segment(start, end, text, (1, 2), 0.0, -0.1, 1.0, 0.0, tuple(words) if timed else ())


def stitched(results: list[WindowResult], duration: float) -> Transcript:
    return stitch(results, duration=duration, model="m", model_digest="d", engine="e")


@given(speeches(("one", "two", "no", "Oh,")), st.data())
@settings(deadline=None, max_examples=150)
def test_timed_words_are_there_once_even_where_they_repeat(speech: Speech, data: st.DataObject) -> None:
    results = [heard(speech, window, data, timed=True) for window in speech.windows]
    transcript = stitched(results, speech.duration)
    assert [word.word for word in transcript.words] == [word.word for word in speech.words]
    assert transcript.text == "".join(word.word for word in speech.words).strip()
    starts = [word.start for word in transcript.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start <= word.end <= speech.duration for word in transcript.words)


@given(speeches(None), st.data())
@settings(deadline=None, max_examples=100)
def test_words_without_times_are_there_once(speech: Speech, data: st.DataObject) -> None:
    results = [heard(speech, window, data, timed=False) for window in speech.windows]
    transcript = stitched(results, speech.duration)
    assert transcript.text == "".join(word.word for word in speech.words).strip()


def result(
    index: int, start: float, end: float, *words: tuple[str, float, float], language: str = "en"
) -> WindowResult:
    said = [Word(begins, ends, text, 0.9 - index / 10) for text, begins, ends in words]
    return WindowResult(Window(index, start, end), language, 0.9, (_segment(said, True),))


def test_a_word_misheard_by_one_window_is_the_others() -> None:
    left = result(0, 0, 10, (" the", 8.0, 8.2), (" quick", 8.4, 8.8), (" brown", 8.8, 9.2), (" folk", 9.6, 10.0))
    right = result(1, 8.4, 20, (" Wick", 8.4, 8.8), (" brown", 8.8, 9.2), (" fox", 9.6, 10.1), (" ran", 10.1, 10.4))
    assert stitched([left, right], 20).text == "the quick brown fox ran"


@pytest.mark.parametrize(("surer", "text"), [(0, "a brown b"), (1, "a crown b")])
def test_without_a_common_word_the_middle_decides_and_one_sound_is_one_word(surer: int, text: str) -> None:
    """The middle is at 9.0; the left window has the word just before it, the right one just behind it."""
    left = result(0, 0, 10, (" a", 8.0, 8.3), (" brown", 8.7, 9.1))
    right = result(1, 8, 20, (" crown", 8.9, 9.2), (" b", 11.0, 11.3))
    surest = [
        replace(each, segments=(_with_probability(each, 0.2 + 0.7 * (i == surer)),))
        for i, each in enumerate([left, right])
    ]
    assert stitched(surest, 20).text == text


def _with_probability(result: WindowResult, probability: float) -> Segment:
    segment = result.segments[0]
    return replace(segment, words=tuple(replace(word, probability=probability) for word in segment.words))


def test_windows_that_share_nothing_are_left_as_they_are() -> None:
    left, right = result(0, 0, 10, (" again", 9.0, 10.0)), result(1, 10, 20, (" again", 10.0, 11.0))
    transcript = stitched([left, right], 20)
    assert transcript.text == "again again"
    assert [segment.tokens for segment in transcript.segments] == [(1, 2), (1, 2)]


def test_a_segment_that_lost_words_has_their_times_and_no_tokens() -> None:
    left = result(0, 0, 10, (" a", 7.0, 7.3), (" b", 8.6, 8.8), (" c", 9.2, 9.4), (" d", 9.5, 9.9))
    right = result(1, 8.4, 20, (" b", 8.6, 8.8), (" c", 9.2, 9.4), (" d", 9.5, 9.9), (" e", 12.0, 12.2))
    first, second = stitched([left, right], 20).segments
    assert (first.text, first.start, first.end, first.tokens) == (" a b", 7.0, 8.8, ())
    assert (second.text, second.start, second.end, second.tokens) == (" c d e", 9.2, 12.2, ())


def test_writing_without_spaces_is_joined_by_its_characters() -> None:
    left = WindowResult(Window(0, 0, 10), "ja", 0.9, (Segment(7.0, 10.0, "今日は天気", (1,), 0.0, -0.1, 1.0, 0.0),))
    right = WindowResult(
        Window(1, 8.4, 20), "ja", 0.9, (Segment(8.4, 12.4, "は天気がいいです", (1,), 0.0, -0.1, 1.0, 0.0),)
    )
    assert stitched([left, right], 20).text == "今日は天気がいいです"


def test_a_window_in_which_nothing_was_heard_takes_nothing_away() -> None:
    left = result(0, 0, 10, (" a", 7.0, 7.3), (" b", 9.5, 9.8))
    empty = WindowResult(Window(1, 8.4, 20), "en", 0.9, ())
    assert stitched([left, empty], 20).text == "a b"
