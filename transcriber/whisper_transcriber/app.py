"""The API's application: routers, errors and middleware put together."""

import asyncio

from fastapi import Depends, FastAPI

from whisper_transcriber.api import demand, errors, events, health, jobs, models, transcriptions
from whisper_transcriber.api.access import Access
from whisper_transcriber.api.callers import caller
from whisper_transcriber.api.visits import Farewells
from whisper_transcriber.deps import Deps


def create_app(deps: Deps, stopping: asyncio.Event | None = None) -> FastAPI:
    """The ASGI application of one API process; once `stopping` is set it is unready and sends its clients elsewhere."""
    stopping = stopping or asyncio.Event()
    app = FastAPI(title="Whisper transcriber", version="v1", redirect_slashes=False)
    app.state.deps = deps
    app.state.stopping = stopping
    app.state.farewells = Farewells(deps)
    for resource in (transcriptions, jobs, events, models, demand):
        app.include_router(resource.router, dependencies=[Depends(caller)])
    app.include_router(health.router)
    errors.install(app)
    app.add_middleware(Access, metrics=deps.metrics, stopping=stopping)
    return app
