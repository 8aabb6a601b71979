"""The models of a worker: found, proven and loaded once, then kept."""

import asyncio
import time

from whisper_transcriber.batching import Pipeline
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.model import ModelSpec, ModelUnavailable
from whisper_transcriber.engine import load
from whisper_transcriber.logs import Log
from whisper_transcriber.models import resolve

log = Log(__name__)
_LONGEST_WAIT = 60.0


class Models:
    """Pipelines by model name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._loaded: dict[str, Pipeline] = {}
        self._lock = asyncio.Lock()

    @property
    def warm(self) -> bool:
        """Whether the default model is loaded."""
        return self._deps.models.default.name in self._loaded

    async def pipeline(self, name: str) -> Pipeline:
        """The pipeline of a model, loaded now if it is not yet. Raises ModelUnavailable."""
        async with self._lock:
            if name not in self._loaded:
                spec = next((spec for spec in self._deps.models.specs if spec.name == name), None)
                if spec is None:
                    raise ModelUnavailable(f"The model {name!r} is not among the models of this service any more.")
                self._loaded[name] = await asyncio.to_thread(self._load, spec)
                self._deps.metrics.model_ready.labels(name).set(1)
            return self._loaded[name]

    async def warm_up(self, stop: asyncio.Event) -> None:
        """Load the default model, trying again until it works: the world may have to change first."""
        wait = 1.0
        while not self.warm and not stop.is_set():
            try:
                await self.pipeline(self._deps.models.default.name)
            except ModelUnavailable as error:
                log.error("Could not load the default model, trying again", reason=str(error), seconds=wait)
                await _pause(stop, wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    def _load(self, spec: ModelSpec) -> Pipeline:
        settings, started = self._deps.settings, time.monotonic()
        files = resolve(spec, settings.preloaded_models, settings.model_cache)
        engine = load(files, spec, settings.threads)
        seconds = round(time.monotonic() - started, 2)
        log.info("Loaded model", model=engine.model, digest=engine.digest, engine=engine.name, seconds=seconds)
        return Pipeline(engine, batch_size=settings.batch_windows)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
