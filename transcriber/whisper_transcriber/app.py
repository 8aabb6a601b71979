"""The API's application: routers, errors and middleware put together."""

import asyncio
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from whisper_transcriber.api import (
    batches,
    deliveries,
    demand,
    endpoints,
    errors,
    events,
    explorer,
    file_objects,
    health,
    jobs,
    keys,
    models,
    transcriptions,
    tus,
    upload_parts,
    webhooks,
)
from whisper_transcriber.api.access import Access, storable_address
from whisper_transcriber.api.admission import Admission
from whisper_transcriber.api.callers import allowed, caller, operator
from whisper_transcriber.api.openapi import document
from whisper_transcriber.api.visits import Farewells
from whisper_transcriber.deps import Deps

# What a page's script may read of an answer besides its body.
EXPOSED = [
    "Location",
    "Retry-After",
    "Tus-Resumable",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Offset",
    "x-request-id",
    *(f"x-ratelimit-{n}-{w}" for n in ("limit", "remaining", "reset") for w in ("requests", "audio-seconds")),
]


def create_app(deps: Deps, stopping: asyncio.Event | None = None) -> FastAPI:
    """The ASGI application of one API process; once `stopping` is set it is unready and sends its clients elsewhere."""
    stopping = stopping or asyncio.Event()
    # FastAPI's own pages load their scripts from other hosts.
    app = FastAPI(
        title="Whisper transcriber",
        version="v1",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(storable_address)],
    )
    app.state.deps = deps
    app.state.stopping = stopping
    app.state.farewells = Farewells(deps)
    app.state.admission = Admission(deps)
    for resource, check in (
        (transcriptions, allowed("transcribe")),
        (jobs, allowed("jobs")),
        (events, allowed("jobs")),
        (deliveries, allowed("jobs")),
        (webhooks, allowed("webhooks")),
        (endpoints, allowed("webhooks")),
        (upload_parts, allowed("jobs")),
        (tus, allowed("jobs")),
        (file_objects, allowed("jobs")),
        (batches, allowed("jobs")),
        (models, caller),
        (keys, allowed("admin")),
        (demand, operator),
    ):
        app.include_router(resource.router, dependencies=[Depends(check)])
    app.include_router(health.router)
    app.include_router(explorer.router)
    errors.install(app)
    # FastAPI asks for the document once somebody does.
    app.openapi = partial(_document, app)  # type: ignore[method-assign]
    if deps.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=deps.settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(Access, metrics=deps.metrics, stopping=stopping, tracing=deps.tracing)
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = document(app)
    return app.openapi_schema
