"""The models of a worker: found, proven and loaded once, then kept."""

import asyncio
import time

from whisper_transcriber.batching import Pipeline, Pump
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.model import ModelSpec, ModelUnavailable
from whisper_transcriber.engine import Engine, load
from whisper_transcriber.logs import Log
from whisper_transcriber.models import resolve

log = Log(__name__)
_LONGEST_WAIT = 60.0


class Models:
    """Pumps by model name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._loaded: dict[str, Pump] = {}
        self._lock = asyncio.Lock()

    @property
    def warm(self) -> bool:
        """Whether the default model is loaded."""
        return self._deps.models.default.name in self._loaded

    async def pump(self, name: str) -> Pump:
        """The queue before a model, which is loaded now if it is not yet. Raises ModelUnavailable."""
        async with self._lock:
            if name not in self._loaded:
                spec = next((spec for spec in self._deps.models.specs if spec.name == name), None)
                if spec is None:
                    raise ModelUnavailable(f"The model {name!r} is not among the models of this service any more.")
                self._loaded[name] = self._pump(await asyncio.to_thread(self._load, spec))
                self._deps.metrics.model_ready.labels(name).set(1)
            return self._loaded[name]

    async def warm_up(self, stop: asyncio.Event) -> None:
        """Load the default model, trying again until it works: the world may have to change first."""
        wait = 1.0
        while not self.warm and not stop.is_set():
            try:
                await self.pump(self._deps.models.default.name)
            except ModelUnavailable as error:
                log.error("Could not load the default model, trying again", reason=str(error), seconds=wait)
                await _pause(stop, wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    async def close(self) -> None:
        """Let what is being computed end, and compute nothing more."""
        while self._loaded:
            name, pump = self._loaded.popitem()
            self._deps.metrics.model_ready.labels(name).set(0)
            await pump.close()

    def _pump(self, engine: Engine) -> Pump:
        settings, metrics = self._deps.settings, self._deps.metrics
        size = settings.lane_windows if engine.device == "cpu" else settings.batch_windows
        pipeline = Pipeline(engine, batch_size=size, metrics=metrics)
        return Pump(pipeline, size=size, seconds=settings.batch_seconds, metrics=metrics)

    def _load(self, spec: ModelSpec) -> Engine:
        settings, started = self._deps.settings, time.monotonic()
        files = resolve(spec, settings.preloaded_models, settings.model_cache)
        engine = load(files, spec, settings.threads)
        seconds = round(time.monotonic() - started, 2)
        log.info("Loaded model", model=engine.model, digest=engine.digest, engine=engine.name, seconds=seconds)
        return engine


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
