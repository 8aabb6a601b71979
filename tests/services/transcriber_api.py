"""The transcriber's jobs API in memory, over real HTTP: what the operator meets, with states that a test sets."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


class TranscriberApi:
    """`jobs` by id, `submissions` as (idempotency key, fields, audio). `key`: what Authorization must carry.

    `deliveries` are those of every job. `readiness`: the checks that keep it from being ready.
    """

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.jobs: dict[str, dict[str, Any]] = {}
        self.submissions: list[tuple[str, dict[str, Any], bytes | None]] = []
        self.refusal: tuple[int, str, str] | None = None
        self.demand: dict[str, Any] = {"workers": 0}
        self.deliveries: list[dict[str, Any]] = []
        self.readiness: dict[str, str] = {"store": "unavailable"}
        self.url = ""
        self._ids = itertools.count(1)
        self._by_key: dict[str, str] = {}

    def forget(self) -> None:
        """Lose all data."""
        self.jobs.clear()
        self._by_key.clear()

    @property
    def job(self) -> dict[str, Any]:
        """The only job."""
        (job,) = self.jobs.values()
        return job

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[TranscriberApi]:
        """Serve on a free loopback port, `url`; with `tls` over HTTPS."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/v1/jobs", self._submit)
        app.router.add_get("/v1/jobs/{id}", self._get)
        app.router.add_get("/v1/jobs/{id}/deliveries", self._deliveries)
        app.router.add_get("/internal/demand", self._demand)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_post("/v1/jobs/{id}/cancel", self._cancel)
        server = TestServer(app)
        await server.start_server(ssl=tls)
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            await server.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        response: web.StreamResponse = await handler(request)
        return response

    async def _submit(self, request: web.Request) -> web.Response:
        if self.refusal:
            return _error(*self.refusal)
        key, audio = request.headers["Idempotency-Key"], None
        if request.content_type == "application/json":
            fields = await request.json()
        else:
            form = await request.post()
            fields = {name: value for name, value in form.items() if name != "file"}
            part = form["file"]
            assert isinstance(part, web.FileField)
            audio = part.file.read()
            fields["filename"] = part.filename
        self.submissions.append((key, fields, audio))
        if key in self._by_key:
            return web.json_response(self.jobs[self._by_key[key]], status=200)
        job_id = f"job-{next(self._ids)}"
        job = {"id": job_id, "status": "queued", "progress": 0, "model": "base", "results": {}}
        self.jobs[job_id], self._by_key[key] = job, job_id
        return web.json_response(job, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        return web.json_response(job) if job else _error(404, "job_not_found", "There is no such job.")

    async def _deliveries(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in self.jobs:
            return _error(404, "job_not_found", "There is no such job.")
        return web.json_response({"object": "list", "data": self.deliveries})

    async def _demand(self, request: web.Request) -> web.Response:
        return _error(*self.refusal) if self.refusal else web.json_response(self.demand)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = not self.readiness
        return web.json_response({"ready": ready, "checks": self.readiness}, status=200 if ready else 503)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return _error(404, "job_not_found", "There is no such job.")
        if job["status"] in ("queued", "running"):
            job["status"] = "cancelled"
        return web.json_response(job)


def _error(status: int, code: str, message: str) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return web.json_response(body, status=status)
