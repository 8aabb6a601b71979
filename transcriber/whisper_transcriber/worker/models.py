"""The models of a worker: found, proven, loaded, and kept while there is room for them."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from whisper_transcriber.batching import Pipeline, Pump
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.model import BrokenEngine, ModelSpec, ModelUnavailable
from whisper_transcriber.engine import Engine, load
from whisper_transcriber.engine.memory import budget, carries_cuda, footprint, gpu_memory
from whisper_transcriber.logs import Log
from whisper_transcriber.models import resolve
from whisper_transcriber.worker.calm import calmly
from whisper_transcriber.worker.room import Kept, to_unload

log = Log(__name__)
_LONGEST_WAIT = 60.0


@dataclass(eq=False)
class _Place:
    """A model's place in memory: loaded, or being loaded."""

    spec: ModelSpec
    loading: asyncio.Task[Pump]
    users: int = 0
    last: float = 0.0

    def kept(self, size: int) -> Kept:
        """Whether it may go: not while it is used, or loaded for somebody who has given up."""
        return Kept(self.spec.name, size, self.users + (not self.loading.done()), self.last)


class Models:
    """Pumps by model name, as many as fit the memory; the least recently used ones make room for others."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._places: dict[str, _Place] = {}
        self._sizes: dict[str, int] = {}
        self._door = asyncio.Lock()  # who waits for room keeps those behind from using it up: first come, first served
        self._left = asyncio.Event()
        self._warm = False
        self.trouble = ""  # why the default model could not be loaded at the last attempt
        self.lost: BrokenEngine | None = None  # once an engine is, nothing is computed in this process any more

    @property
    def warm(self) -> bool:
        """Whether the default model has been loaded; it may have made room for another since."""
        return self._warm

    async def pump(self, name: str) -> Pump:
        """The queue before a model, which is loaded now. Raises ModelUnavailable.

        The model may be unloaded for another one at any time; its memory is free once nobody holds the pump.
        """
        async with self.using(name) as pump:
            return pump

    @asynccontextmanager
    async def using(self, name: str) -> AsyncIterator[Pump]:
        """The queue before a model, which stays loaded until the block is left. Raises ModelUnavailable.

        Waits while the model is loaded, and before that while models in use leave no room for it. A block must not be
        entered within another: each could wait for the other's room.
        """
        place = await self._taken(name)
        try:
            yield await asyncio.shield(place.loading)
        finally:
            place.users -= 1
            place.last = time.monotonic()
            self._left.set()

    async def warm_up(self, stop: asyncio.Event) -> None:
        """Load the default model, trying again until it works: the world may have to change first."""
        wait = 1.0
        while not self.warm and not stop.is_set():
            try:
                await self.pump(self._deps.models.default.name)
            except BrokenEngine as error:
                log.error("The engine computes nothing, ending", reason=str(error))
                self.lost = error
                stop.set()
            except ModelUnavailable as error:
                self.trouble = str(error)
                log.error("Could not load the default model, trying again", reason=str(error), seconds=wait)
                await _pause(stop, wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    async def _taken(self, name: str) -> _Place:
        """The place of a model, with one more user; made if there is none."""
        spec = next((spec for spec in self._deps.models.specs if spec.name == name), None)
        if spec is None:
            raise ModelUnavailable(f"The model {name!r} is not among the models of this service any more.")
        if self._places and name not in self._places:
            await asyncio.to_thread(self._size, spec)  # it may have to be fetched, for which nobody else shall wait
        async with self._door:
            if name not in self._places:
                await self._make_room(spec)
                loading = asyncio.create_task(self._loaded(spec), name=f"load {name}")
                loading.add_done_callback(self._ended)
                self._places[name] = _Place(spec, loading)
            place = self._places[name]
            place.users += 1
            return place

    async def _make_room(self, spec: ModelSpec) -> None:
        """Unload what must go for a model, once nobody uses it."""
        while self._places:
            self._left.clear()
            for each in (spec, *[place.spec for place in self._places.values()]):
                await asyncio.to_thread(self._size, each)
            kept = [place.kept(self._sizes[name]) for name, place in self._places.items()]
            going = to_unload(kept, self._sizes[spec.name], self._budget())
            if going is not None:
                for name in going:
                    await self._unload(name)
                return
            await self._left.wait()

    async def close(self) -> None:
        """Let what is being computed end, and compute nothing more."""
        while self._places:
            name, place = self._places.popitem()
            self._deps.metrics.model_ready.labels(name).set(0)
            place.loading.cancel()
            (pump,) = await asyncio.gather(place.loading, return_exceptions=True)
            if isinstance(pump, Pump):
                await pump.close()

    async def _unload(self, name: str) -> None:
        pump = self._places.pop(name).loading.result()
        await pump.close()
        await pump.freed()
        del pump
        gc.collect()
        self._deps.metrics.model_ready.labels(name).set(0)
        log.info("Unloaded model to make room", model=name)

    async def _loaded(self, spec: ModelSpec) -> Pump:
        try:
            pump = self._pump(await calmly(lambda: self._load(spec)))
        except BaseException:
            self._places.pop(spec.name, None)  # `close` has taken it out already
            raise
        self._warm = self._warm or spec.name == self._deps.models.default.name
        self._deps.metrics.model_ready.labels(spec.name).set(1)
        return pump

    def _ended(self, loading: asyncio.Task[Pump]) -> None:
        self._left.set()
        if not loading.cancelled():
            loading.exception()  # whoever still waits for it raises it

    def _size(self, spec: ModelSpec) -> int:
        """The bytes that a model is likely to take. Raises ModelUnavailable."""
        if spec.name not in self._sizes:
            files = resolve(spec, self._deps.settings.preloaded_models, self._deps.settings.model_cache)
            weights = (files.path / files.weights).stat().st_size
            self._sizes[spec.name] = footprint(weights, spec, gpu=gpu_memory() is not None)
        return self._sizes[spec.name]

    def _budget(self) -> int:
        return self._deps.settings.model_memory_bytes or budget(gpu_memory())

    def _pump(self, engine: Engine) -> Pump:
        settings, metrics = self._deps.settings, self._deps.metrics
        size = settings.lane_windows if engine.device == "cpu" else settings.batch_windows
        pipeline = Pipeline(engine, batch_size=size, metrics=metrics)
        return Pump(pipeline, size=size, seconds=settings.batch_seconds, metrics=metrics, tracing=self._deps.tracing)

    def _load(self, spec: ModelSpec) -> Engine:
        settings, started = self._deps.settings, time.monotonic()
        files = resolve(spec, settings.preloaded_models, settings.model_cache)
        engine = load(files, spec, settings.threads)
        if (trouble := Pipeline(engine).trouble()) is not None:
            raise BrokenEngine(f"{type(trouble).__name__}: {trouble}"[:300], suspect=False)
        seconds = round(time.monotonic() - started, 2)
        known = {"model": engine.model, "digest": engine.digest, "engine": engine.name, "device": engine.device}
        log.info("Loaded model", **known, seconds=seconds)
        if engine.device == "cpu" and carries_cuda(os.environ.get("LD_LIBRARY_PATH", "")):
            log.warning("This image is for a GPU, but the pod has none: computing on processors", model=engine.model)
        return engine


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
