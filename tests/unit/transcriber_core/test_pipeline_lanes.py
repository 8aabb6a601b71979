"""An engine with several lanes: every window goes its way alone, whichever request it is of."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from unit.transcriber_core.scripted import ScriptedEngine
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Encoded


def item(name: int, seconds: float = 1.0) -> Item:
    samples = np.full(round(seconds * 16_000), name, np.float32)
    return Item(Window(name, name * 10.0, name * 10.0 + seconds), samples, Options(language="en"))


class Meeting(ScriptedEngine):
    """Encodes only when two calls are there at once."""

    def __init__(self) -> None:
        super().__init__(lanes=2)
        self.both = threading.Barrier(2, timeout=30)

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        self.both.wait()
        return super().encode(batch, full=full)


class Poisoned(ScriptedEngine):
    """Cannot encode the window called 13."""

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        if batch[0][0] == 13:
            raise RuntimeError("poisoned")
        return super().encode(batch, full=full)


def test_windows_are_computed_side_by_side_alone_and_answered_in_order() -> None:
    engine = Meeting()
    results = Pipeline(engine).run([item(1), item(2), item(3), item(4)])
    assert [result.window.index for result in results] == [1, 2, 3, 4]
    assert [result.segments[0].text for result in results] == [f" row {n} at 0" for n in (1, 2, 3, 4)]
    assert all(len(rows) == 1 for _, rows in engine.calls)


def test_windows_of_two_requests_share_the_lanes() -> None:
    engine = Meeting()
    pipeline = Pipeline(engine)
    done: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: done.update({n: pipeline.run([item(n)])[0].segments[0].text}))
        for n in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == {1: " row 1 at 0", 2: " row 2 at 0"}


def test_the_longest_window_goes_first() -> None:
    engine = ScriptedEngine(lanes=2)
    Pipeline(engine).run([item(1, 1.0), item(2, 3.0), item(3, 2.0)])
    assert engine.batches("encode")[0] in ([2], [3])  # two lanes: either of the longest two may be a moment earlier


def test_what_one_window_raises_comes_out_and_the_lanes_go_on() -> None:
    pipeline = Pipeline(Poisoned(lanes=2))
    with pytest.raises(RuntimeError, match="poisoned"):
        pipeline.run([item(n) for n in (1, 13, *range(20, 40))])
    assert len(pipeline.run([item(1)])) == 1
