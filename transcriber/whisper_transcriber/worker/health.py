"""The worker's own small HTTP server: probes and metrics."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from whisper_transcriber.deps import Deps
from whisper_transcriber.worker.models import Models


def health_app(deps: Deps, models: Models) -> Starlette:
    """`/livez`: the event loop turns. `/readyz`: the default model is loaded, or why it is not. `/metrics`."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        if models.warm:
            return PlainTextResponse("ok")
        why = f": {models.trouble}" if models.trouble else " yet"
        return PlainTextResponse(f"the default model is not loaded{why}", 503)

    async def metrics(_request: Request) -> Response:
        body, content_type = deps.metrics.expose()
        return Response(body, media_type=content_type)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])
