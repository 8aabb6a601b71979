"""Several models in one worker: kept while there is room, swapped under traffic, never from under somebody's feet."""

import asyncio
import threading
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets import weights
from unit.transcriber_core.scripted import ScriptedEngine
from whisper_transcriber.batching import Item, Ticket
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.catalogue import Catalogue
from whisper_transcriber.domain.model import ModelSpec, ModelUnavailable, Source
from whisper_transcriber.domain.window import Window
from whisper_transcriber.worker import Models
from whisper_transcriber.worker.room import Kept, to_unload

SIZES = {"a": 40, "b": 50, "c": 60, "huge": 900}


class Sized(Models):
    """Models of known sizes, with 100 bytes for them; what is in memory at once is noted."""

    def __init__(self, deps: Deps) -> None:
        specs = [ModelSpec(name=name) for name in SIZES]
        settings = deps.settings.model_copy(update={"model_memory_bytes": 100})
        super().__init__(replace(deps, settings=settings, models=Catalogue(specs)))
        self.loads: Counter[str] = Counter()
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.looking_for_room = asyncio.Event()
        self.broken = False

    def _size(self, spec: ModelSpec) -> int:
        self._sizes[spec.name] = SIZES[spec.name]
        return SIZES[spec.name]

    def _budget(self) -> int:
        self.looking_for_room.set()
        return super()._budget()

    def _load(self, spec: ModelSpec) -> ScriptedEngine:
        self.started.set()
        self.gate.wait()
        if self.broken:
            raise ModelUnavailable("broken")
        self.loads[spec.name] += 1
        return ScriptedEngine(model=spec.name)

    def ready(self) -> set[str]:
        value = self._deps.metrics.registry.get_sample_value
        return {name for name in SIZES if value("whisper_model_ready", {"model": name})}


@pytest.fixture
def models(deps: Deps) -> Sized:
    return Sized(deps)


async def use(models: Models, name: str) -> str:
    async with models.using(name) as pump:
        return pump.engine.model


async def test_what_fits_stays_and_the_least_recently_used_makes_room(models: Sized) -> None:
    for name in ("a", "b", "a"):
        assert await use(models, name) == name
    assert models.ready() == {"a", "b"}
    assert await use(models, "c") == "c"
    assert models.ready() == {"a", "c"}
    assert models.warm
    await use(models, "b")
    await use(models, "c")
    assert models.loads == {"a": 1, "b": 2, "c": 2}
    assert models.warm  # though the default model, a, is not loaded now


async def test_a_model_in_use_is_not_unloaded_and_the_other_waits(models: Sized) -> None:
    async with models.using("b"):
        waiting = asyncio.create_task(use(models, "c"))
        await models.looking_for_room.wait()
        behind = asyncio.create_task(use(models, "b"))  # comes after c, so it does not take the room before c
        await asyncio.sleep(0)
        assert models.ready() == {"b"}
        assert not waiting.done()
    assert await waiting == "c"
    assert await behind == "b"
    assert models.loads == {"b": 2, "c": 1}


async def test_a_model_larger_than_all_room_is_let_in_alone(models: Sized) -> None:
    await use(models, "a")
    assert await use(models, "huge") == "huge"
    assert models.ready() == {"huge"}
    assert await use(models, "a") == "a"
    assert models.ready() == {"a"}


async def test_requests_for_one_model_load_it_once(models: Sized) -> None:
    models.gate.clear()
    asking = [asyncio.create_task(use(models, "a")) for _ in range(5)]
    await asyncio.sleep(0)
    models.gate.set()
    assert await asyncio.gather(*asking) == ["a"] * 5
    assert models.loads == {"a": 1}


async def test_a_model_that_cannot_be_loaded_is_tried_again_when_asked_for_again(models: Sized) -> None:
    models.broken = True
    results = await asyncio.gather(use(models, "a"), use(models, "a"), return_exceptions=True)
    assert [type(result) for result in results] == [ModelUnavailable, ModelUnavailable]
    assert not models.warm
    models.broken = False
    assert await use(models, "a") == "a"


async def test_who_gives_up_waiting_harms_nobody(models: Sized) -> None:
    models.gate.clear()
    gone = asyncio.create_task(use(models, "b"))
    await asyncio.to_thread(models.started.wait)
    other = asyncio.create_task(use(models, "c"))
    await models.looking_for_room.wait()
    gone.cancel()
    models.gate.set()
    assert await other == "c"
    assert models.ready() == {"c"}
    assert await use(models, "b") == "b"


async def test_traffic_on_more_models_than_fit_is_all_served(models: Sized) -> None:
    async def client(names: str) -> None:
        for name in names:
            async with models.using(name) as pump:
                assert pump.engine.model == name
                await asyncio.sleep(0)
                assert sum(SIZES[name] for name in models._places) <= 100

    await asyncio.wait_for(asyncio.gather(*(client(names) for names in ("abcab", "cabbc", "bbacc", "aaaaa"))), 60)


async def test_an_unknown_model_is_refused(models: Sized) -> None:
    with pytest.raises(ModelUnavailable, match="not among the models"):
        await use(models, "z")


async def test_a_real_model_that_made_room_is_gone_from_memory(deps: Deps) -> None:
    """Also after its lanes have worked: their threads hold on to nothing."""
    folders = {"tiny.en": weights.tiny_en(), "base": weights.base()}
    specs = [ModelSpec(name=name, source=Source(path=str(folder))) for name, folder in folders.items()]
    settings = deps.settings.model_copy(update={"model_memory_bytes": 1, "threads": 2})
    models = Models(replace(deps, settings=settings, models=Catalogue(specs)))
    item = Item(Window(0, 0.0, 1.0), np.zeros(16_000, np.float32))
    async with models.using("tiny.en") as pump:
        await asyncio.gather(*(pump.submit(item, Ticket(number)) for number in range(2)))
        gone = weakref.ref(pump.engine)
        assert pump.engine.lanes == 2
    del pump
    async with models.using("base") as other:
        assert gone() is None
        assert other.engine.model == "base"


def test_a_pump_that_somebody_still_holds_outlives_its_model(models: Sized) -> None:
    async def held() -> str:
        pump = await models.pump("b")
        await use(models, "c")
        return pump.engine.model

    assert asyncio.run(held()) == "b"
    assert models.ready() == {"c"}


KEPT = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 2), st.integers(0, 9)), max_size=6)


@given(KEPT, st.integers(1, 100), st.integers(1, 200))
def test_room_is_made_with_idle_models_only_and_with_no_more_than_needed(
    models: list[tuple[int, int, int]], needed: int, budget: int
) -> None:
    kept = [Kept(str(index), size, users, last) for index, (size, users, last) in enumerate(models)]
    going = to_unload(kept, needed, budget)
    total = sum(model.size for model in kept)
    idle = sorted((model for model in kept if not model.users), key=lambda model: model.last)
    if going is None:
        assert any(model.users for model in kept)
        assert total - sum(model.size for model in idle) + needed > budget
        return
    assert list(going) == [model.name for model in idle[: len(going)]]
    left = total - sum(model.size for model in kept if model.name in going)
    assert left + needed <= budget or left == 0
    if going:
        last = next(model for model in kept if model.name == going[-1])
        assert left + last.size + needed > budget
