"""`/docs`: the API to read and to try in a browser, Swagger UI, served from here: nothing is loaded from elsewhere."""

from importlib import resources

from fastapi import APIRouter, Response

from whisper_transcriber.request.errors import not_found

router = APIRouter(include_in_schema=False)

# What the page links to: the file's package and type. fastapi_swagger has Swagger UI's release as it is.
_OURS, _SWAGGER = "whisper_transcriber.api.explorer", "fastapi_swagger.resources"
_ASSETS = {
    "start.js": (_OURS, "text/javascript"),
    "swagger-ui-bundle.js": (_SWAGGER, "text/javascript"),
    "swagger-ui.css": (_SWAGGER, "text/css"),
    "favicon-32x32.png": (_SWAGGER, "image/png"),
}

# Swagger UI's icons are `data:`.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/docs")
def page() -> Response:
    """The page; its links are relative, so that it may stand below a path of a proxy."""
    return Response(_read(_OURS, "page.html"), media_type="text/html", headers=_HEADERS)


@router.get("/docs/{name}")
def asset(name: str) -> Response:
    """A file that the page links to; it changes with a release only. Raises ApiError (404)."""
    if name not in _ASSETS:
        raise not_found("There is no such file.", "not_found")
    package, media_type = _ASSETS[name]
    headers = _HEADERS | {"Cache-Control": "public, max-age=3600"}
    return Response(_read(package, name), media_type=media_type, headers=headers)


def _read(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes()
