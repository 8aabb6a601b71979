"""The OpenAPI document: what FastAPI sees, and what it cannot: bodies that we read as streams, errors, the key."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from whisper_transcriber.api.told import router as told
from whisper_transcriber.render import FORMATS, GRANULARITIES
from whisper_transcriber.request.chunking import ServerVad
from whisper_transcriber.request.job_parameters import JobFields, OutputFields, S3Source, WebhookFields

_FILE = {"type": "string", "format": "binary", "description": "Audio or video in any common format"}
# Without `$defs`: what refers to them would look for them at the document's root.
_OUTPUT: dict[str, Any] = OutputFields.model_json_schema()
_OUTPUT["properties"]["s3"] = _OUTPUT.pop("$defs")["OutputBucket"]
_OPTIONS: dict[str, Any] = JobFields.model_json_schema()["properties"] | {
    "chunking_strategy": {
        "description": "`auto`, or how speech is told from silence",
        "anyOf": [{"type": "string", "enum": ["auto"]}, ServerVad.model_json_schema()],
    },
    "webhook": WebhookFields.model_json_schema(),
    "output": _OUTPUT,
}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    fields = {"file": _FILE, **properties}
    schema = {"type": "object", "required": ["file"], "additionalProperties": False, "properties": fields}
    return {"multipart/form-data": {"schema": schema}}


TRANSCRIPTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": _form(
            {
                "model": {"type": "string", "description": "A name or alias of `GET /v1/models`"},
                "language": {"type": "string", "description": "Code or English name; detected if absent"},
                "languages[]": {**_OPTIONS["languages"], "title": "Languages"},
                "prompt": {"type": "string"},
                "keywords[]": {**_OPTIONS["keywords"], "title": "Keywords"},
                "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
                "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
                "timestamp_granularities[]": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(GRANULARITIES)},
                },
                "chunking_strategy": _OPTIONS["chunking_strategy"],
                "channels": _OPTIONS["channels"],
                "stream": {"type": "boolean", "default": False, "description": "With `json` or `text`: events"},
                "include[]": {"type": "array", "items": {"type": "string", "enum": ["logprobs"]}},
            }
        ),
    }
}

_PLACE = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
}
_SOURCE = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "http": {
            **_PLACE,
            "properties": {"url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 8192}},
        },
        "upload": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64}},
        },
        "s3": {**_PLACE, "properties": {"url": S3Source.model_json_schema()["properties"]["url"]}},
    },
}

JOB: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "additionalProperties": False,
                    "properties": {"source": _SOURCE, **_OPTIONS},
                }
            },
            **_form(_OPTIONS),
        },
    }
}

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string"},
                "type": {
                    "enum": ["invalid_request_error", "authentication_error", "rate_limit_error", "server_error"],
                    "type": "string",
                },
                "param": {"type": ["string", "null"], "description": "The field that is wrong"},
                "code": {"type": ["string", "null"], "description": "For programs"},
            },
        }
    },
}
_FAILURES = {"4XX": "The request must change, or wait", "5XX": "The service failed, or cannot do it now (503)"}
_ID = {"description": "Names the request in the log", "schema": {"type": "string"}}
_RETRY = {"description": "Seconds, with 425, 429 and 503", "schema": {"type": "integer"}}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application; where FastAPI would promise its own errors, ours are."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        description="OpenAI's audio API, and jobs beside it. Errors have OpenAI's form.",
        routes=app.routes,
        webhooks=told.routes,
    )
    parts = made["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts["schemas"]["Error"] = _ERROR
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, item in made["paths"].items():
        for operation in item.values():
            operation["responses"].pop("422", None)
            if path.startswith(("/v1/", "/internal/")):
                _guarded(operation)
    for item in made["webhooks"].values():
        item["post"]["responses"].pop("422")
    return made


def _guarded(operation: dict[str, Any]) -> None:
    """Add what every operation behind the key has."""
    operation["security"] = [{"key": []}]
    for status, description in _FAILURES.items():
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        operation["responses"][status] = {"description": description, "content": content}
    for status, response in operation["responses"].items():
        response["headers"] = {"x-request-id": _ID} | ({"Retry-After": _RETRY} if status in _FAILURES else {})
