"""One stream's windows in flight: never more than allowed, kept in any order, and none lost to another's error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_transcriber.batching.flow import Cut, flow
from whisper_transcriber.batching.language import settled, unsettled
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.lasting import SURE
from whisper_transcriber.domain.transcript import Segment, WindowResult
from whisper_transcriber.domain.window import Window

SEGMENT = Segment(0.0, 1.0, " text", (1,), 0.0, -0.1, 1.0, 0.0)


def result(window: Window, language: str = "en", probability: float = 0.9) -> WindowResult:
    return WindowResult(window, language, probability, (SEGMENT,))


class Stage:
    """A stream of windows, and what becomes of them: `send` answers when it is told to."""

    def __init__(self, count: int) -> None:
        self.cut: list[int] = []
        self.kept: list[int] = []
        self.stopped = asyncio.Event()
        self.error: Exception | None = None
        self.answers = [asyncio.get_running_loop().create_future() for _ in range(count)]
        self.sent = [asyncio.Event() for _ in range(count)]

    def stream(self) -> Cut:
        for index in range(len(self.answers)):
            self.cut.append(index)
            yield Window(index, index, index + 1.0), np.zeros(16, np.float32)

    async def send(self, window: Window, _samples: Samples) -> WindowResult:
        self.sent[window.index].set()
        await self.answers[window.index]
        return result(window)

    async def keep(self, result: WindowResult) -> None:
        self.kept.append(result.window.index)

    async def run(self, at_once: int) -> None:
        await flow(self.stream(), self.send, self.keep, at_once=lambda: at_once, stop=self.stop)

    def stop(self, error: Exception) -> None:
        self.error = error
        self.stopped.set()


async def test_no_more_are_in_flight_than_allowed_and_any_order_will_do() -> None:
    stage = Stage(5)
    running = asyncio.create_task(stage.run(2))
    await stage.sent[1].wait()
    assert stage.cut == [0, 1]
    stage.answers[1].set_result(None)
    await stage.sent[2].wait()
    assert stage.kept == [1]
    assert stage.cut == [0, 1, 2]
    for index in (2, 0, 3, 4):
        await stage.sent[index].wait()
        stage.answers[index].set_result(None)
    await running
    assert sorted(stage.kept) == [0, 1, 2, 3, 4]


async def test_an_error_stops_the_cutting_and_what_is_being_computed_is_kept() -> None:
    stage = Stage(9)
    running = asyncio.create_task(stage.run(3))
    await stage.sent[2].wait()
    stage.answers[0].set_exception(RuntimeError("poisoned"))
    await stage.stopped.wait()
    for index in (1, 2):
        stage.answers[index].set_result(None)
    with pytest.raises(RuntimeError, match="poisoned"):
        await running
    assert stage.kept == [1, 2]
    assert str(stage.error) == "poisoned"
    assert len(stage.cut) <= 4


async def test_what_the_stream_raises_comes_out_when_the_others_are_done() -> None:
    stage = Stage(1)

    def broken() -> Iterator[tuple[Window, Samples]]:
        yield from stage.stream()
        raise ValueError("the file is damaged")

    stage.answers[0].set_result(None)
    with pytest.raises(ValueError, match="damaged"):
        await flow(broken(), stage.send, stage.keep, at_once=lambda: 3)
    assert stage.kept == [0]


async def test_a_flow_that_is_cancelled_leaves_nothing_behind() -> None:
    stage = Stage(4)
    running = asyncio.create_task(stage.run(2))
    await stage.sent[1].wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("window ")] == []


heard = st.lists(st.tuples(st.sampled_from(["en", "fr", "it"]), st.floats(0, 1)), min_size=1, max_size=8).map(
    lambda found: [result(Window(n, 10.0 * n, 10.0 * n + 9), *each) for n, each in enumerate(found)]
)


@given(heard, st.randoms())
def test_which_windows_are_heard_again_does_not_depend_on_the_order_in_which_they_were_done(
    results: list[WindowResult], chance: object
) -> None:
    shuffled = list(results)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    again = unsettled(results)
    assert unsettled(shuffled) == again
    for each in results:
        if each.window in again:
            assert each.language != again[each.window]
            assert each.language_probability < SURE


@given(heard)
def test_once_heard_again_everything_is_settled(results: list[WindowResult]) -> None:
    again = unsettled(results)
    after = {
        each.window: settled(each, result(each.window, again[each.window], 1.0))
        for each in results
        if each.window in again
    }
    before = {each.window: each for each in results}
    results = [after.get(each.window, each) for each in results]
    assert unsettled(results) == {}
    assert all(each.language_probability == before[each.window].language_probability for each in after.values())


def test_each_channel_has_a_language_of_its_own() -> None:
    def heard(index: int, channel: int, language: str, probability: float) -> WindowResult:
        return result(Window(index, 10.0 * index, 10.0 * index + 9, channel=channel), language, probability)

    results = [heard(0, 0, "en", 0.9), heard(1, 1, "fr", 0.9), heard(2, 0, "fr", 0.4), heard(3, 1, "en", 0.4)]
    assert unsettled(results) == {results[2].window: "en", results[3].window: "fr"}


def test_without_speech_there_is_no_language_and_nothing_to_hear_again() -> None:
    assert unsettled([]) == {}
    assert unsettled([WindowResult(Window(0, 0, 1), "it", 0.2, ())]) == {}
